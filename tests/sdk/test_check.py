"""`python -m feedback_sdk check` names each fault with its remedy."""

import json
import subprocess
import sys
import time
from email.utils import formatdate

import pytest

from feedback_sdk.__main__ import main
from tests.sdk.stand_in import KEY

OK = (200, {}, b'{"status": "ok"}')


@pytest.fixture
def check(capsys, tmp_path):
    def run(url: str, *, key: str = KEY, spool: str | None = None) -> tuple[int, str]:
        spool = str(tmp_path / "spool") if spool is None else spool
        code = main(["check", "--url", url, "--api-key", key, "--spool-dir", spool])
        return code, capsys.readouterr().out

    return run


def test_all_is_well(server, check):
    code, text = check(server.url)
    assert code == 0
    assert [line.split()[0] for line in text.splitlines()] == ["ok"] * 6


def test_however_often_it_runs_it_makes_one_tagged_sample(server, check):
    for _ in range(3):
        assert check(server.url)[0] == 0
    [(sample, image)] = server.samples.values()
    assert json.loads(sample)["tags"] == ["lookswrong-check"]
    assert "prediction" not in json.loads(sample)
    assert image.startswith(b"\x89PNG")
    assert server.feedback == {}


@pytest.mark.parametrize(
    ("url", "key", "fault", "remedy"),
    [
        ("", KEY, "there is no URL", "set LOOKSWRONG_URL"),
        ("ftp://a", KEY, "url must be http(s)", "set LOOKSWRONG_URL to http"),
        ("http://a", "", "there is no key", "lookswrong key create"),
        ("http://a", "abc", "api_key must look like", "lookswrong key create"),
        ("http://no-such-name.invalid", KEY, "no answer from no-such-name.invalid", "the name does not resolve"),
        ("http://" + "x" * 70 + ".example", KEY, "no answer", "set LOOKSWRONG_URL"),
    ],
)
def test_a_wrong_setting_is_a_fault_with_its_remedy(check, url, key, fault, remedy):
    code, text = check(url, key=key)
    line = text.splitlines()[-1]
    assert code == 1
    assert line.startswith(f"FAULT {fault}")
    assert remedy in line.partition("remedy: ")[2]


def test_nobody_there(check, free_port):
    code, text = check(f"http://127.0.0.1:{free_port}")
    assert code == 1
    assert "remedy: nothing listens there" in text


def test_a_server_that_hangs(server, check, monkeypatch):
    monkeypatch.setattr("feedback_sdk.__main__._TIMEOUT_SECONDS", 0.1)
    server.is_hanging.set()
    assert "remedy: no answer in time" in check(server.url)[1]


def test_tls_where_the_server_speaks_plain_http(server, check):
    assert "remedy: TLS fails" in check(server.url.replace("http:", "https:"))[1]


@pytest.mark.parametrize(
    ("answers", "fault"),
    [
        ([(200, {}, b"<h1>hello</h1>")], "this is not a Looks Wrong server: /healthz answers 200"),
        ([(404, {}, b"{}")], "this is not a Looks Wrong server: /healthz answers 404"),
        ([OK, (503, {}, b'{"database": "down"}')], 'the server is not ready: {"database": "down"}'),
        ([OK, OK, (401, {}, b"{}")], "the server does not know the key (status 401)"),
        ([OK, OK, (403, {}, b"{}")], "the key lacks the scope `ingest` (status 403)"),
        ([OK, OK, (413, {}, b"{}")], "the server or a proxy refuses 1 kB as too large (status 413)"),
        ([OK, OK, (422, {}, b'{"title": "no"}')], "a sample is refused, status 422: no"),
    ],
)
def test_what_the_server_answers_is_named(server, check, answers, fault):
    server.answers += answers
    code, text = check(server.url)
    assert code == 1
    assert f"FAULT {fault}; remedy: " in text


@pytest.mark.parametrize(("off", "word"), [(-3600, "ahead of"), (3600, "behind")])
def test_a_clock_that_is_off_is_a_fault_and_the_rest_is_still_looked_at(server, check, off, word):
    server.answers.append((200, {"Date": formatdate(time.time() + off, usegmt=True)}, b"{}"))
    code, text = check(server.url)
    assert code == 1
    assert f"s {word} the server's; remedy: let NTP set the clock" in text
    assert text.splitlines()[-1].startswith("ok")


def test_a_ca_bundle_that_cannot_be_read_is_a_fault(check, monkeypatch):
    monkeypatch.setenv("LOOKSWRONG_CA_BUNDLE", "/nowhere.pem")
    code, text = check("https://127.0.0.1:9")
    assert code == 1
    assert "FAULT ca_bundle must be a PEM file of certificates" in text


def test_a_spool_folder_that_cannot_be_written_is_a_fault(server, check, tmp_path):
    (tmp_path / "file").write_text("in the way")
    code, text = check(server.url, spool=str(tmp_path / "file"))
    assert code == 1
    assert "is not writable: File exists; remedy: set LOOKSWRONG_SPOOL_DIR" in text


def test_a_switched_off_sdk_is_a_fault(server, check, monkeypatch):
    monkeypatch.setenv("LOOKSWRONG_DISABLED", "1")
    code, text = check(server.url)
    assert code == 1
    assert text.startswith("FAULT LOOKSWRONG_DISABLED is set: no client captures anything; remedy: unset it\n")


def test_a_dry_run_sends_no_sample(server, check, monkeypatch):
    monkeypatch.setenv("LOOKSWRONG_DRY_RUN", "yes")
    code, text = check(server.url)
    assert (code, server.samples) == (0, {})
    assert "dry run: no sample was sent" in text.splitlines()[-1]


@pytest.mark.parametrize("exists", [False, True])
def test_the_spool_folder_is_as_it_was(server, check, tmp_path, exists):
    folder = tmp_path / "state" / "spool"
    if exists:
        folder.mkdir(parents=True)
    check(server.url, spool=str(folder))
    assert (folder.exists(), folder.parent.exists()) == (exists, exists)


@pytest.mark.parametrize("arguments", [["check"], ["spool", "list"]])
def test_a_reader_that_leaves_early_is_no_fault(server, tmp_path, arguments):
    place = ["--url", server.url, "--api-key", KEY, "--spool-dir", str(tmp_path)]
    command = [sys.executable, "-u", "-m", "feedback_sdk", *arguments, *place]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""


def test_the_help_speaks_to_users(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert "python -m feedback_sdk [-h] {check,spool}" in text
    assert "LOOKSWRONG_SPOOL_DIR" in text


def test_the_command_runs_and_its_exit_status_tells(free_port):
    command = [
        sys.executable,
        "-m",
        "feedback_sdk",
        "check",
        "--url",
        f"http://127.0.0.1:{free_port}",
        "--api-key",
        KEY,
    ]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1
