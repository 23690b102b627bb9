"""`python -m feedback_sdk spool`: what waits and what was refused, beside an app that runs."""

import json
import os
import subprocess
import sys
import time

import pytest

from feedback_sdk.__main__ import main
from feedback_sdk.spool import Spool, state_folder
from feedback_sdk.spool.quarantine import Quarantine
from feedback_sdk.spool.segment import Kind
from tests.sdk.disks import DISKS
from tests.sdk.stand_in import KEY

PROBLEM = {"title": "no", "errors": [{"field": "tags[0]", "message": "must be short"}, {"field": "", "message": "b"}]}
ANSWER = {"status": 422, "body": json.dumps(PROBLEM)}
PIXELS = b'{"sample":{"id":"s"},"shape":{"channels":1,"height":1,"width":2}}'


@pytest.fixture(params=DISKS)
def disk(request, monkeypatch):
    DISKS[request.param](monkeypatch)


@pytest.fixture
def open_spool(tmp_path):
    opened = []

    def open_spool(name: str = "spool", **options: object) -> Spool:
        settings = {"max_bytes": 1 << 20, "max_age_seconds": 3600.0, "on_drop": lambda _: None, **options}
        opened.append(Spool(tmp_path / name, **settings))
        return opened[-1]

    yield open_spool
    for spool in opened:
        spool.close()


@pytest.fixture
def command(capsys, tmp_path):
    def run(*arguments: str, folder: str | None = None) -> tuple[int, str, str]:
        code = main(["spool", *arguments, "--spool-dir", str(tmp_path / "spool") if folder is None else folder])
        return code, *capsys.readouterr()

    return run


def sample_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def uuid(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012d}"


def refuse(spool: Spool, *numbers: int, kind: Kind = Kind.SAMPLE, text: bytes = b"{}", payload: bytes = b"") -> None:
    for number in numbers:
        spool.append(kind, sample_id(number), text, payload)
        record = spool.next()
        assert spool.quarantine(record, ANSWER)
        spool.done(record)


def quarantined(spool: Spool) -> list[str]:
    return [line.id for line in Quarantine(spool.folder).lines()]


def test_an_empty_spool_is_listed_as_empty(open_spool, command):
    open_spool().folder.mkdir()
    code, text, _ = command("list")
    assert code == 0
    assert text.splitlines()[:-1] == [
        "not sent yet: none",
        "images held until the server wants them: none",
        "refused by the server: none",
    ]


@pytest.mark.usefixtures("disk")
def test_the_list_tells_living_owners_from_orphans(open_spool, command):
    dead, living = open_spool(), open_spool()
    for spool, count in ((dead, 3), (living, 2)):
        for number in range(count):
            spool.append(Kind.SAMPLE, sample_id(number), b"x" * 56)
    dead.done(dead.next())
    dead.close()
    found = json.loads(command("list", "--json")[1])["segments"]
    assert [(row["owner"], row["records"], row["bytes"]) for row in found] == [("orphan", 2, 200), ("alive", 2, 200)]
    assert living.adopt() == 1  # the look took nothing


def test_the_list_begins_with_what_is_not_sent_and_whose_it_is(open_spool, command):
    dead, living = open_spool(), open_spool()
    for spool, count in ((dead, 3), (living, 1)):
        for number in range(count):
            spool.append(Kind.SAMPLE, sample_id(number), b"x" * 956)
    living.append(Kind.FEEDBACK, sample_id(0), b"x" * 56)
    dead.close()
    first, *where = command("list")[1].splitlines()[:3]
    assert first.startswith("not sent yet: 4 captures and 1 feedback, 4 kB, oldest ")
    assert where == [
        "  1 capture and 1 feedback, 1 kB: of a running app",
        "  3 captures, 3 kB: left by an app that ended, which the next client sends",
    ]


@pytest.mark.parametrize(("seconds", "age"), [(0, "0 s"), (59, "59 s"), (180, "3 min"), (7200, "2 h"), (90_000, "1 d")])
def test_the_age_of_the_oldest_is_in_words(open_spool, command, monkeypatch, seconds, age):
    open_spool().append(Kind.SAMPLE, sample_id(1), b"{}")
    there = time.time() + seconds
    monkeypatch.setattr("feedback_sdk.spool.command.time", lambda: there)
    assert f", oldest {age} ago" in command("list")[1]


def test_the_list_names_what_waits_under_another_key(open_spool, command, tmp_path):
    one, other = (state_folder(url="http://a", kid=kid).name for kid in ("k1", "k2"))
    (tmp_path / one).mkdir()
    left = open_spool(name=other)
    for number in range(2):
        left.append(Kind.SAMPLE, sample_id(number), b"{}")
    left.close()
    text = command("list", folder=str(tmp_path / one))[1]
    assert f"\n2 captures wait in {tmp_path / other} under another key of this server: if" in text
    [found] = json.loads(command("list", "--json", folder=str(tmp_path / one))[1])["neighbours"]
    assert (found["folder"], found["segments"][0]["records"]) == (str(tmp_path / other), 2)


def test_the_list_names_images_and_refusals(open_spool, command):
    spool = open_spool()
    refuse(spool, 1, kind=Kind.PIXELS)
    spool.waiting.keep(sample_id(2), b"image", accepted_at_ms=1_700_000_000_000)
    text = command("list")[1]
    assert f"  {uuid(2)}  5 bytes, since 2023-11-14T22:13:20+00:00" in text
    assert f"  {uuid(1)}  sample, " in text
    assert "+00:00, status 422: tags[0] must be short; b\n" in text


def test_a_refusal_of_this_side_is_listed_with_its_error(open_spool, command):
    spool = open_spool()
    spool.append(Kind.SAMPLE, sample_id(1), b"{}")
    spool.quarantine(spool.next(), {"error": "before_send raised\nValueError"})
    text = command("list")[1]
    assert "refused by the server: none\nrefused on this machine: 1\n" in text
    assert "+00:00, before_send raised ValueError\n" in text


def test_show_gives_the_record_and_the_answer(open_spool, command):
    refuse(open_spool(), 1, text=b'{"tags":["a"]}', payload=b"image")
    found = json.loads(command("show", uuid(1), "--json")[1])
    assert (found["record"], found["payload_bytes"]) == ({"tags": ["a"]}, 5)
    assert found["answer"] == {"status": 422, "body": PROBLEM}


@pytest.mark.parametrize("action", ["show", "retry", "drop"])
def test_a_held_image_is_said_to_be_held(open_spool, command, action):
    open_spool().waiting.keep(sample_id(2), b"image", accepted_at_ms=1_700_000_000_000)
    code, _, error = command(action, uuid(2))
    assert code == 2
    assert error.startswith(f"{uuid(2)} is an image held until the server wants it (5 bytes, since 2023-")


@pytest.mark.parametrize(
    ("kind", "text", "payload", "begins"),
    [(Kind.SAMPLE, b"{}", b"\xff\xd8jpeg", b"\xff\xd8jpeg"), (Kind.PIXELS, PIXELS, b"\x00\xff", b"\x89PNG")],
)
def test_show_writes_the_image_as_a_file(open_spool, command, tmp_path, kind, text, payload, begins):
    refuse(open_spool(), 1, kind=kind, text=text, payload=payload)
    assert command("show", uuid(1), "--image", str(tmp_path / "image"))[0] == 0
    assert (tmp_path / "image").read_bytes().startswith(begins)


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize("arguments", [("--all",), (uuid(1), uuid(3))])
def test_retry_puts_records_back_for_an_app_that_runs(open_spool, command, arguments):
    spool = open_spool()
    refuse(spool, 1, 3, text=b'{"id":"s"}', payload=b"image")
    assert command("retry", *arguments)[:2] == (
        0,
        "2 back in the spool: a running app sends them within 10 s, else the next one that starts\n",
    )
    assert quarantined(spool) == []
    assert spool.adopt() == 1
    found = [spool.next(), spool.next()]
    assert [(record.sample_id, record.text, record.payload) for record in found] == [
        (sample_id(number), b'{"id":"s"}', b"image") for number in (1, 3)
    ]


def test_retry_leaves_the_others_in_the_quarantine(open_spool, command):
    spool = open_spool()
    refuse(spool, 1, 2, 3)
    command("retry", uuid(2))
    assert quarantined(spool) == [uuid(1), uuid(3)]


@pytest.mark.parametrize(("has_hook", "adopted"), [(False, 1), (True, 0)])
def test_what_a_hook_was_to_see_goes_back_for_hooked_clients_alone(open_spool, command, has_hook, adopted):
    refuse(open_spool(has_hook=has_hook), 1)
    command("retry", "--all")
    assert open_spool().adopt() == adopted
    assert open_spool(has_hook=True).adopt() == 1 - adopted


def test_a_retried_record_is_not_too_old_and_feedback_keeps_its_age(open_spool, command):
    spool = open_spool(max_age_seconds=0.3)
    refuse(spool, 1, kind=Kind.FEEDBACK, text=b'{"age_ms":1000,"id":"f"}')
    time.sleep(0.35)
    command("retry", "f")
    spool.adopt()
    fields = json.loads(spool.next().text)
    assert fields["id"] == "f"
    assert 1350 <= fields["age_ms"] < 10_000


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize(("arguments", "left"), [(("--all",), []), ((uuid(2),), [uuid(1)])])
def test_drop_removes_for_good(open_spool, command, arguments, left):
    spool = open_spool()
    refuse(spool, 1, 2)
    assert command("drop", *arguments)[:2] == (0, f"{2 - len(left)} removed\n")
    assert quarantined(spool) == left
    assert spool.adopt() == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "x"), "every id must be of a refused record (see `spool list`), got x"),
        (("retry", "x", uuid(1), "y"), "every id must be of a refused record (see `spool list`), got x, y"),
        (("drop", "x"), "every id must be of a refused record (see `spool list`), got x"),
        (("drop",), "give ids or --all, and not both"),
        (("retry", uuid(1), "--all"), "give ids or --all, and not both"),
        (("show", uuid(1), "--image", "/dev/null"), "--image wants a record with an image, got a sample without one"),
    ],
)
def test_what_cannot_be_done_changes_nothing_and_says_why(open_spool, command, arguments, message):
    spool = open_spool()
    refuse(spool, 1)
    assert command(*arguments) == (2, "", message + "\n")
    assert quarantined(spool) == [uuid(1)]
    assert spool.adopt() == 0


@pytest.mark.parametrize(
    ("folder", "message"),
    [("/no/such/folder", "the spool's folder must exist, got /no/such/folder\n"), ("", "give --spool-dir, or --url")],
)
def test_a_folder_that_is_not_there_is_an_error(command, folder, message):
    code, _, error = command("list", folder=folder)
    assert code == 2
    assert error.startswith(message)


def test_a_key_that_has_no_folder_yet_hears_what_another_left(command, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    left = state_folder(url="http://a", kid="old")
    spool = Spool(left, max_bytes=1 << 20, max_age_seconds=3600.0, on_drop=print)
    spool.append(Kind.SAMPLE, bytes(16), b"{}")
    spool.close()
    code, _, error = command("list", "--url", "http://a", "--api-key", KEY, folder="")
    assert code == 2
    assert error.endswith(f"under another key of this server captures wait in {left}\n")


def test_url_and_key_name_the_folder_of_the_app(open_spool, command, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    folder = state_folder(url="http://a", kid="k1")
    folder.mkdir(parents=True)
    code, text, _ = command("list", "--url", "http://a", "--api-key", KEY, folder="")
    assert (code, text.splitlines()[-1]) == (0, f"folder: {folder}")
    assert command("list", "--url", "http://a", "--api-key", "odd", folder="")[0] == 2


def test_the_command_runs_as_a_process(open_spool):
    spool = open_spool()
    refuse(spool, 1)
    command = [sys.executable, "-m", "feedback_sdk", "spool", "drop", "--all", "--json"]
    environ = {**os.environ, "LOOKSWRONG_SPOOL_DIR": str(spool.folder)}
    run = subprocess.run(command, capture_output=True, check=True, env=environ)
    assert json.loads(run.stdout) == {"dropped": 1}
