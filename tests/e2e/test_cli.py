"""The commands, each a process of its own: what they print, what they refuse, and with which exit code."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from feedback_sdk.types import Feedback, Verdict
from queue_server.auth import Caller
from queue_server.backend import Backend, open_backend
from queue_server.ingest.feedback import take_feedback
from queue_server.ingest.samples import take_sample
from queue_server.local_label_studio import LocalLabelStudio
from queue_server.settings import Settings, keep_secret
from queue_server.store import projects
from queue_server.store.engine import reading
from tests.e2e.installation import Inbox, Installation, label_studio_settings, project_text
from tests.server.conftest import PROJECT, jpeg, prediction, sample


class Commands:
    """An installation whose project has been through one turn of the loop, by commands alone."""

    def __init__(self, installation: Installation, inbox: Inbox) -> None:
        self.installation = installation
        self.inbox = inbox
        self.key = installation.apply_project(project_text(inbox.title))
        self.sample_ids = [self._queue(seed) for seed in range(2)]
        self.pushed = json.loads(installation.say("push", "--json", "-"))
        inbox.annotate(inbox.task_of(self.sample_ids[0]))
        self.pulled = json.loads(installation.say("pull", "--json", "-"))

    def _queue(self, seed: int) -> str:
        """Queue a rejected sample."""
        backend = self._open()
        with reading(backend.engine) as session:
            project_id = projects.all_projects(session)[0].id
        value, now = sample(prediction(0.9)), datetime.now(UTC)
        take_sample(backend, project_id, value, image=jpeg(seed=seed), now=now)
        said = Feedback(id=uuid4(), sample_id=value.id, verdict=Verdict.REJECTED, reporter="anna")
        take_feedback(backend, Caller(project_id=project_id, scopes=frozenset()), said, now=now)
        backend.engine.dispose()
        return str(value.id)

    def _open(self) -> Backend:
        data_dir = self.installation.folder / "data"
        return open_backend(Settings(data_dir=data_dir, secret_key=keep_secret(data_dir)))


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory, label_studio: LocalLabelStudio) -> Iterator[Commands]:
    """One annotated and one pushed sample."""
    inbox = Inbox(label_studio, f"commands {datetime.now(UTC).timestamp():.6f}")
    # nobody serves here: webhooks go where nothing listens
    settings = label_studio_settings(label_studio) | {"LOOKSWRONG_INTERNAL_URL": "http://127.0.0.1:9"}
    with Installation(tmp_path_factory.mktemp("commands"), settings) as installation:
        yield Commands(installation, inbox)
    inbox.close()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Installation]:
    """An installation where nothing was done yet."""
    with Installation(tmp_path, {}) as installation:
        yield installation


def _refused(installation: Installation, *arguments: str, **environment: str) -> str:
    """Run a command that must fail with a message of ours, and return it."""
    done = installation.run(*arguments, **environment)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("Error: ")
    return done.stderr


def test_no_project_is_listed_before_one_is_applied(empty: Installation) -> None:
    assert empty.say("project", "list") == ""
    assert "none: apply a project file first" in _refused(empty, "project", "show")


def test_project_gets_a_new_version_only_when_its_policy_changes(empty: Installation) -> None:
    file = empty.folder / "project.yaml"
    said = []
    for text in (PROJECT, PROJECT, PROJECT.replace("0.6", "0.7")):
        file.write_text(text)
        said.append(empty.say("project", "apply", str(file)).rpartition(": ")[2])
    assert said == ["new policy version 1", "no change of policy, version 1", "new policy version 2"]
    assert empty.say("project", "list") == "pill-counter\tdetection\tpolicy 2"
    shown = json.loads(empty.say("project", "show"))
    assert (shown["policy_version"], shown["rules"][1]["threshold"]) == (2, 0.7)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", "the file must hold a mapping"),
        (
            PROJECT.replace("threshold: 0.6", "threshold: 7"),
            "line 8, rules.1.threshold: must be a number from 0 to 1, ",
        ),
        (PROJECT.replace("[pill, capsule]", "[]"), "line 4, labels: must be a list of one or more names, got []"),
    ],
)
def test_bad_project_file_is_refused_with_the_path_of_its_fault(empty: Installation, text: str, path: str) -> None:
    file = empty.folder / "project.yaml"
    file.write_text(text)
    assert path in _refused(empty, "project", "apply", str(file))


def test_key_is_printed_alone_and_only_once(commands: Commands) -> None:
    done = commands.installation.run("key", "create", "--scope", "ingest")
    kid, secret = done.stdout.strip().removeprefix("lw_").split("_", 1)
    assert (done.stdout, done.stderr) == (f"lw_{kid}_{secret}\n", "")
    listed = commands.installation.say("key", "list")
    assert f"{kid}\tingest" in listed
    assert secret not in listed


def test_key_is_revoked_once(commands: Commands) -> None:
    kid = commands.key.split("_")[1]
    assert commands.installation.say("key", "revoke", kid) == "revoked"
    assert f"{kid}\tingest,read\t" in commands.installation.say("key", "list")
    assert "must be a live one of this server" in _refused(commands.installation, "key", "revoke", kid)


def test_key_needs_a_known_project_and_scope(commands: Commands) -> None:
    said = _refused(commands.installation, "key", "create", "--project", "none", "--scope", "read")
    assert "--project must be one of this server's projects, got 'none'; there are pill-counter" in said
    assert commands.installation.run("key", "create", "--scope", "all").returncode == 2


def test_push_and_pull_say_what_they_did(commands: Commands) -> None:
    nothing = {"adopted": 0, "updated": 0, "withdrawn": 0, "failed": 0}
    assert commands.pushed["pill-counter"].items() >= (nothing | {"pushed": 2}).items()
    assert commands.pulled["pill-counter"]["annotations"] == 1
    assert sorted(commands.inbox.counts()) == sorted(commands.sample_ids)


def test_push_into_a_label_studio_that_is_away_fails_in_words(commands: Commands) -> None:
    away = {"LOOKSWRONG_LABEL_STUDIO_URL": "http://127.0.0.1:1"}
    assert "http://127.0.0.1:1" in _refused(commands.installation, "pull", **away)
    assert "must be set, got none" in _refused(commands.installation, "push", LOOKSWRONG_LABEL_STUDIO_URL="")


def test_report_is_json_on_standard_output(commands: Commands) -> None:
    report = json.loads(commands.installation.say("report", "--json", "-"))
    assert (report["samples"], report["by_state"]) == (2, {"annotated": 1, "pushed": 1})
    assert report["feedback"] == {"rejected": 2}


@pytest.fixture(scope="module")
def exported(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What the export of the annotated sample said."""
    folder = tmp_path_factory.mktemp("exported") / "new" / "set"
    return json.loads(commands.installation.say("export", "coco", str(folder), "--json", "-"))


def test_export_writes_a_coco_data_set(exported: dict) -> None:
    folder = Path(exported["folder"])
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (exported["items"], exported["export_id"]) == (1, manifest["export_id"])
    assert len(list((folder / "images").rglob("*.jpg"))) == 1
    found = [json.loads(file.read_text()) for file in folder.rglob("*.json") if file.name != "manifest.json"]
    assert sum(len(document["annotations"]) for document in found) == 1


def test_export_again_replaces_the_earlier_one_and_is_the_same(commands: Commands, exported: dict) -> None:
    again = json.loads(commands.installation.say("export", "coco", exported["folder"], "--json", "-"))
    assert again == exported


def test_export_into_a_folder_that_holds_other_things_is_refused(commands: Commands, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    said = _refused(commands.installation, "export", "coco", str(tmp_path))
    assert "must be empty or hold an earlier export" in said
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_export_into_the_folder_where_one_is(commands: Commands, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    commands.installation.say("export", "coco", ".")
    assert (tmp_path / "manifest.json").exists()


def test_model_version_is_registered_with_what_it_was_trained_on(commands: Commands, exported: dict) -> None:
    said = commands.installation.say("model", "add", "v2", "--trained-on", exported["export_id"])
    assert said == "pill-counter: model version v2"
    refusal = _refused(commands.installation, "model", "add", "v3", "--trained-on", str(uuid4()))
    assert "trained_on: must be an export of pill-counter" in refusal


def test_doctor_finds_no_fault_where_all_is_well(commands: Commands) -> None:
    lines = commands.installation.say("doctor").splitlines()
    assert {line.split()[0] for line in lines} == {"ok"}
    assert any("project pill-counter: Label Studio project" in line for line in lines)


@pytest.mark.parametrize(
    ("environment", "remedies"),
    [
        ({"LABEL_STUDIO_URL": ""}, {"label studio": "LOOKSWRONG_LABEL_STUDIO_URL"}),
        (
            {"LABEL_STUDIO_URL": "http://127.0.0.1:1", "BROKER_URL": "redis://127.0.0.1:1"},
            {"broker": "LOOKSWRONG_BROKER_URL", "label studio": "LOOKSWRONG_LABEL_STUDIO_URL"},
        ),
        (
            {"LABEL_STUDIO_API_KEY": "0" * 40, "SECRET_KEY": "short"},
            {"secret": "LOOKSWRONG_SECRET_KEY", "label studio": "LOOKSWRONG_LABEL_STUDIO_API_KEY"},
        ),
    ],
)
def test_doctor_names_each_fault_and_its_remedy(commands: Commands, environment: dict, remedies: dict) -> None:
    done = commands.installation.run("doctor", **{f"LOOKSWRONG_{name}": value for name, value in environment.items()})
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    faults = {line[6:].partition(":")[0]: lines[at + 1] for at, line in enumerate(lines) if line.startswith("FAULT")}
    assert set(faults) == set(remedies)
    assert all("remedy: " in faults[name] and word in faults[name] for name, word in remedies.items())


def test_doctor_rewrites_what_label_studio_holds_after_a_move(commands: Commands) -> None:
    done = commands.installation.say("doctor", "--fix", LOOKSWRONG_PUBLIC_URL="https://feedback.example.com")
    assert done.splitlines()[-1] == "2 tasks rewritten"
    images = [task["data"]["image"] for task in commands.inbox.tasks()]
    assert [image.startswith("https://feedback.example.com/v1/images/") for image in images] == [True, True]
    assert sorted(commands.inbox.counts()) == sorted(commands.sample_ids)
