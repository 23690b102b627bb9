"""A project's file: what is wrong with it is said with its line, all at once; applying it is atomic."""

import threading

import pytest

from queue_server import policy_file
from queue_server.backend import Backend
from queue_server.errors import PolicyError
from queue_server.store import projects
from queue_server.store.engine import reading, writing
from queue_server.yaml_lines import read_yaml
from tests.server.conftest import NOW, PROJECT, apply_project

LABELLED = "project: p\ntask: detection\nlabels: [pill, capsule]\nrules:\n"


def faults_of(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        policy_file.parse(text)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "[]", "just words", "- rules"])
def test_file_without_a_mapping_is_refused(text: str) -> None:
    (fault,) = faults_of(text)
    assert "the file must hold a mapping with project, task, labels and rules" in fault


def test_all_that_is_wrong_is_said_at_once_each_with_its_line() -> None:
    faults = faults_of(
        "project: P\ntask: detektion\nlabels: [pill]\nbudjet: {per_day: 5}\nrules:\n"
        "  - {strategy: empty}\n  - strategy: confidence_below\n    treshold: 0.5\n  - {strategy: randm, rate: 1}\n"
    )
    assert [fault.partition(": ")[0] for fault in faults] == [
        "line 4, budjet",
        "line 1, project",
        "line 2, task",
        "line 8, rules.1.treshold",
        "line 7, rules.1.threshold",
        "line 9, rules.2.strategy",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("treshold: 0.5, threshold: 0.5", "did you mean threshold?"),
        ("threshold: 7", "line 5, rules.0.threshold: must be a number from 0 to 1"),
        ("threshold: {quantil: 0.1}", "line 5, rules.0.threshold: must be a number, {quantile: q}"),
        (
            "threshold: 0.5, labels: [pil]",
            "of the project, pill, capsule, got 'pil': did you mean pill?",
        ),
        ("threshold: 0.5, per_class: {tablet: 0.5}", "line 5, rules.0.per_class: must name labels of the project"),
    ],
)
def test_fault_of_a_rule_says_what_must_hold_and_what_came(text: str, said: str) -> None:
    assert said in "\n".join(faults_of(f"{LABELLED}  - {{strategy: confidence_below, {text}}}\n"))


def test_labels_that_a_rule_looks_for_must_be_the_projects() -> None:
    faults = faults_of(f"{LABELLED}  - {{strategy: labels, any: [pill, vial], all: [box]}}\n")
    assert [fault.partition(":")[0] for fault in faults] == ["line 5, rules.0.any", "line 5, rules.0.all"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("labels: [a]\nlabels: [b]\n", "line 2, labels: must be given once, it stands on line 1 too"),
        ("rules:\n  - {strategy: empty, priority: 1, priority: 2}\n", "line 2, rules.0.priority: must be given once"),
        (
            "rules:\n  - strategy: x\n    per_class: {1: 0.5}\n",
            "line 3, rules.0.per_class: must have texts as keys",
        ),
        ("rules: [\n", "line 2: the file must be YAML: "),
        ("captured: 2026-13-45\n", "the file must be YAML: month must be in 1..12"),
        ("a: &a [*a]\n", "line 1: must not hold itself"),
        ("a: 0x" + "f" * 9000, "line 1, a: must have at most 100 characters or be in quotes"),
        ("[" * 5000, "the file must be YAML: "),
        ("a: " + "x" * 1_000_001, "must have at most 1000000 bytes"),
        ("a: !!python/object:os.system {}\n", "the file must be YAML: could not determine a constructor"),
    ],
)
def test_what_yaml_would_take_silently_or_choke_on_is_refused(text: str, said: str) -> None:
    assert said in "\n".join(faults_of(text))


def test_few_lines_of_aliases_that_stand_for_billions_of_values_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert "must hold at most 100000 values with its aliases" in faults_of("\n".join(lines))[0]


def test_aliases_and_merges_of_a_sane_file_are_taken() -> None:
    text = LABELLED + (
        "  - &low {strategy: confidence_below, threshold: 0.5}\n  - {<<: *low, name: lower, threshold: 0.2}\n"
    )
    rules = policy_file.parse(text).policy.rules
    assert [(rule.name, rule.parameters["threshold"].value) for rule in rules] == [
        ("confidence_below", 0.5),
        ("lower", 0.2),
    ]


@pytest.mark.parametrize(("path", "line"), [("", 1), ("a", 1), ("a.b", 2), ("a.b.1", 4), ("a.b.1.c.d", 4), ("z", 1)])
def test_line_of_a_path_is_that_of_the_longest_part_that_is_there(path: str, line: int) -> None:
    assert read_yaml("a:\n  b:\n    - 1\n    - c: 2\n").line(path) == line


def test_message_never_quotes_a_whole_file() -> None:
    (fault,) = faults_of(LABELLED.replace("p\n", f"{'P' * 5000}\n", 1) + "  []\n")
    assert len(fault) < 600


def test_policy_gets_a_version_only_when_it_means_something_else(backend: Backend) -> None:
    texts = (PROJECT, PROJECT, PROJECT.replace("0.6", "0.7"))
    assert [apply_project(backend, text).policy_version for text in texts] == [1, 1, 2]


def test_two_applies_at_once_make_one_version_of_one_project(backend: Backend) -> None:
    failed: list[Exception] = []

    def apply() -> None:
        try:
            apply_project(backend)
        except Exception as error:  # of a thread, for the test to see
            failed.append(error)

    threads = [threading.Thread(target=apply) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(backend.engine) as session:
        assert (failed, [row.policy_version for row in projects.all_projects(session)]) == ([], [1])


def test_refused_change_leaves_the_policy_as_it_was(sqlite_backend: Backend) -> None:
    apply_project(sqlite_backend)
    changed = policy_file.parse(PROJECT.replace("[pill, capsule]", "[pill]").replace("0.6", "0.7"))
    with pytest.raises(PolicyError, match="labels: must keep capsule"), writing(sqlite_backend.engine) as session:
        policy_file.apply(session, changed, now=NOW)
    with reading(sqlite_backend.engine) as session:
        assert projects.all_projects(session)[0].policy_version == 1
