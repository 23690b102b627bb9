"""The commands for policies, each a process of its own: another policy over what came, two beside each other."""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from queue_server.backend import open_backend
from queue_server.ingest.samples import take_sample
from queue_server.settings import Settings, keep_secret
from queue_server.store import projects
from queue_server.store.engine import reading
from tests.e2e.installation import Installation
from tests.server.conftest import PROJECT, prediction, sample

AUDIT = PROJECT.replace("rate: 0.0", "rate: 1.0")


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A project whose policy queues nothing at arrival, and four samples, two of them unsure, of the last hours."""
    with Installation(tmp_path_factory.mktemp("policies"), {}) as found:
        write(found, "project", PROJECT)
        found.say("project", "apply", write(found, "project", PROJECT))
        data_dir = found.folder / "data"
        backend = open_backend(Settings(data_dir=data_dir, secret_key=keep_secret(data_dir)))
        with reading(backend.engine) as session:
            project_id = projects.all_projects(session)[0].id
        for hours, confidence in enumerate((0.3, 0.5, 0.8, 0.9)):
            now = datetime.now(UTC) - timedelta(hours=hours)
            take_sample(backend, project_id, sample(prediction(confidence)), image=None, now=now)
        backend.engine.dispose()
        yield found


def write(installation: Installation, name: str, text: str) -> str:
    file = installation.folder / f"{name}.yaml"
    file.write_text(text)
    return str(file)


def applied(installation: Installation, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    done = installation.run("project", "apply", write(installation, "changed", text), *options)
    assert done.returncode == 0, done.stderr
    return done


def words(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_change_shows_what_both_policies_would_have_queued_last_week(installation: Installation) -> None:
    done = applied(installation, AUDIT, "--dry-run")
    assert done.stdout == "project pill-counter: a dry run, nothing was changed\n"
    shown = words(done.stderr)
    assert ["reason", "now", "proposed"] in shown
    assert ["unconfirmed_low_confidence", "2", "2"] in shown
    assert ["random", "0", "2"] in shown
    assert ["in", "all", "2", "4"] in shown
    assert ["annotators'", "minutes", "2", "4"] in shown


def test_dry_run_changes_nothing(installation: Installation) -> None:
    applied(installation, AUDIT, "--dry-run")
    assert json.loads(installation.say("project", "show"))["policy_version"] == 1


def test_same_policy_again_has_nothing_to_show(installation: Installation) -> None:
    done = applied(installation, PROJECT)
    assert done.stderr == "the policy stays as it is: there is no volume to compare\n"
    assert done.stdout == "project pill-counter: no change of policy, version 1\n"


def test_change_without_samples_says_so_in_one_line(tmp_path) -> None:
    with Installation(tmp_path, {}) as empty:
        assert applied(empty, PROJECT).stderr == "a new project: there is no volume to compare\n"
        done = applied(empty, AUDIT)
    assert done.stderr == "no sample came in the last 7 days: there is no volume to compare\n"
    assert done.stdout == "project pill-counter: new policy version 2\n"


def test_refused_change_shows_nothing_and_changes_nothing(installation: Installation) -> None:
    fewer = write(installation, "fewer", AUDIT.replace("[pill, capsule]", "[pill]"))
    done = installation.run("project", "apply", fewer)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: labels: must keep capsule")


def test_replay_tells_people_in_a_table(installation: Installation) -> None:
    shown = words(installation.say("policy", "replay", write(installation, "audit", AUDIT)))
    assert ["unconfirmed_low_confidence", "2", "2"] in shown
    assert ["in", "all", "4", "4"] in shown
    assert " ".join(shown[-1]).startswith("known errors caught: cannot be told, no annotation says")


@pytest.mark.parametrize(("options", "samples"), [((), 4), (("--since", "90m"), 2), (("--limit", "3"), 3)])
def test_replay_tells_scripts_in_json(installation: Installation, options: tuple[str, ...], samples: int) -> None:
    file = write(installation, "audit", AUDIT)
    found = json.loads(installation.say("policy", "replay", file, "--json", "-", *options))
    assert (found["samples"], found["errors_caught"]["share"]) == (samples, None)


def test_replay_without_samples_in_its_time_says_so(installation: Installation) -> None:
    said = installation.say("policy", "replay", write(installation, "audit", AUDIT), "--until", "2020-01-01")
    assert said == "no sample came in that time: there is nothing to replay"


def test_time_that_is_none_is_refused(installation: Installation) -> None:
    done = installation.run("policy", "replay", write(installation, "audit", AUDIT), "--since", "yesterday")
    assert done.returncode == 2
    assert "must be a time such as 2026-11-20T12:00Z, or a span such as 7d, got 'yesterday'" in done.stderr


def test_difference_from_the_current_policy_names_what_changed(installation: Installation) -> None:
    said = installation.say("policy", "diff", write(installation, "audit", AUDIT.replace("24h", "12h")))
    assert said.splitlines() == ["~ confirmation_window: 86400s → 43200s", "~ rule random: rate 0 → 1"]
    assert installation.say("policy", "diff", write(installation, "same", PROJECT)) == "both say the same"


def test_difference_of_two_files_says_what_each_queues_and_the_other_not(installation: Installation) -> None:
    rejected = PROJECT.partition("  - {strategy: unconfirmed")[0] + "  - {strategy: random, rate: 1.0}\n"
    files = write(installation, "one", PROJECT), write(installation, "other", rejected)
    said = installation.say("policy", "diff", *files, "--replay").splitlines()
    assert said[:2] == ["- rule unconfirmed_low_confidence", "- rule empty"]
    assert said[-3:] == ["queued by both: 2", "queued only before: 0", "queued only after: 2 (random 2)"]


def test_schema_is_printed_without_a_server(installation: Installation) -> None:
    assert json.loads(installation.say("policy", "schema"))["title"] == "A project of Looks Wrong"
