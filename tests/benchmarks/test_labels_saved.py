"""The benchmark of saved labels runs on tables that it has never seen, and its figures are sane."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmarks.labels_saved_bench.chosen_rules import chosen_rules, novelty_bits
from benchmarks.labels_saved_bench.days import Company, Day, split
from benchmarks.labels_saved_bench.detections import find_detections
from benchmarks.labels_saved_bench.figures import Tally, found_figures, ratio
from benchmarks.labels_saved_bench.loop import Engine
from benchmarks.labels_saved_bench.metadata_tables import find_metadata_tables
from benchmarks.labels_saved_bench.policies import DEFAULT, DEFAULT_HELD, DEFAULT_RULES, policies
from benchmarks.labels_saved_bench.reporters import REPORTERS, Group, taps
from benchmarks.labels_saved_bench.tables import find_sources
from feedback_sdk.types import Prediction

ROOT = Path(__file__).absolute().parents[2]
COMMAND = [sys.executable, str(ROOT / "benchmarks/labels_saved.py"), "--json", "-"]
ROWS = 1500


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of three classes whose probabilities are true, and two images of which one is found wrong."""
    folder = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(1)
    logits = random.normal(scale=4.0, size=(ROWS, 3))
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    label = np.array([random.choice(3, p=row) for row in probs])
    np.savez(folder / "made_up.npz", probs=probs.astype(np.float16), label=label)
    for name, found in (("right", "pill 0.9 0 0 10 10\n"), ("wrong", "pill 0.9 50 50 60 60\n")):
        for kind, text in (("ground-truth", "pill 0 0 10 10\n"), ("detection-results", found)):
            (folder / "photos" / kind).mkdir(parents=True, exist_ok=True)
            (folder / "photos" / kind / f"{name}.txt").write_text(text)
    return folder


@pytest.fixture(scope="module")
def report(folder: Path) -> Mapping[str, Mapping]:
    command = [*COMMAND, "--data", str(folder), "--quick", "--only", "made_up,digits"]
    ran = subprocess.run(command, check=True, capture_output=True, text=True, timeout=240)
    return json.loads(ran.stdout)


def found(report: Mapping[str, Mapping], reporters: str, policy: str) -> Mapping[str, Mapping]:
    return report["tables"]["made_up"]["found"][reporters][policy]


def test_quick_run_measures_every_table(report):
    assert (list(report["tables"]), report["days"]) == (["made_up", "digits"], 2)


def test_silent_users_report_nothing(report):
    assert found(report, "silent", "user_rejected")["annotations_per_day"] == 0


@pytest.mark.parametrize("strategy", ["confidence_below", "entropy", "margin", "least_confidence", "variance"])
def test_unsure_predictions_are_wrong_more_often_than_random_ones(report, strategy):
    assert found(report, "no user asked", strategy)["times_random"]["mean"] > 2


def test_reporters_are_as_precise_as_they_are_said_to_be(report):
    figures = found(report, "recall 0.6, precision 0.9", "user_rejected")
    assert figures["errors_per_100_annotations"]["mean"] == pytest.approx(90, abs=8)
    assert figures["share_of_errors_found"]["mean"] == pytest.approx(0.6, abs=0.12)


@pytest.mark.parametrize("reporters", REPORTERS)
def test_held_budget_is_not_overspent(report, reporters):
    budget = report["tables"]["made_up"]["budget_per_day"]
    assert 0 < found(report, reporters, DEFAULT_HELD)["annotations_per_day"] <= budget


def test_retrained_digits_are_read_better_than_before(report):
    retraining = report["tables"]["digits"]["retraining"]
    after = retraining["learnt"]["no user asked"]["random"]["accuracy"]["mean"]
    assert 0.8 < retraining["accuracy_before"]["mean"] < after


@pytest.mark.parametrize("policy", [DEFAULT, DEFAULT_HELD])
def test_report_says_where_the_aim_is_missed(report, policy):
    met = report["aim"]["policies"][policy]
    assert met["cases"] == 2 * len(REPORTERS) == met["holds_in"] + len(met["misses"])


def test_default_rules_are_those_of_the_readme():
    text = (ROOT / "README.md").read_text()
    example = next(block for block in text.split("```yaml\n")[1:] if "rules:" in block).split("```")[0]
    assert yaml.safe_load(example)["rules"] == list(DEFAULT_RULES)


@pytest.mark.parametrize(
    "arguments", [[], ["--data", "/nowhere"], ["--data", "."], ["--only", "nothing", "--data", "{folder}"]]
)
def test_missing_table_gets_a_clear_error(arguments, folder, tmp_path):
    command = [*COMMAND, *(argument.format(folder=folder) for argument in arguments)]
    ran = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60, cwd=tmp_path, env={"PATH": "/usr/bin"}
    )
    assert ran.returncode == 2
    assert "must" in ran.stderr


def test_no_day_has_no_figure():
    assert ratio(np.array([1.0, 2.0]), np.zeros(2), disjoint=2) == {"mean": None, "low": None, "high": None}


def test_interval_does_not_narrow_with_days_that_share_rows():
    days = [Tally(samples=100, wrong=10, annotations=10, found=count) for count in (2, 4)]
    few, many = (found_figures(days * times, disjoint=2)["share_of_errors_found"] for times in (5, 50))
    assert (few["low"], few["high"]) == (many["low"], many["high"])


def test_parts_of_a_day_share_no_row():
    parts = split(ROWS, seed=1)
    rows = np.concatenate([parts.known, parts.yesterday, parts.today, parts.test])
    assert len(rows) == len(set(rows.tolist()))


def test_group_taps_on_right_predictions_as_its_precision_says():
    is_wrong = np.arange(10_000) < 1000
    found = taps([Group(recall=0.5, precision=0.25)], is_wrong, seed=1)
    right = sum(row >= 1000 for row in found)
    assert (len(found) - right, right) == (pytest.approx(500, abs=50), pytest.approx(1500, abs=120))


def test_a_known_reporter_comes_before_a_bad_one(folder):
    day = find_sources(folder)["made_up"].draw(1)
    groups = (Group(recall=0.9, precision=0.9, record=(30, 0)), Group(recall=0.9, precision=0.3, record=(0, 30)))
    tapped = taps(groups, day.is_wrong, seed=1)
    taken = Engine(policies(40, is_counted=False)[DEFAULT_HELD], day, seed=1).run(tapped).rows.tolist()
    names = [tapped[row].reporter for row in taken if row in tapped]
    assert sum(name.startswith("group-0") for name in names) > 0.9 * len(names)


def test_same_seed_gives_the_same_day(folder):
    source = find_sources(folder)["made_up"]
    policy = policies(40, is_counted=False)[DEFAULT_HELD]
    first, second = (Engine(policy, source.draw(3), seed=3).run({}).rows for _ in range(2))
    assert first.tolist() == second.tolist()


def test_wrong_and_missing_boxes_are_counted(folder):
    source = find_detections(folder)["photos"]
    assert {int(source.draw(seed).errors.sum()) for seed in range(8)} == {0, 2}


def a_day(company: list[Company], errors: list[int]) -> Day:
    said = Prediction(model_version="1", task="classification", classes={"cat": 0.9, "dog": 0.1})
    wrong = np.array(errors)
    return Day(
        yesterday=[said] * len(company),
        today=[said] * len(company),
        shadows=(),
        errors=wrong,
        is_wrong=wrong > 0,
        yesterday_errors=wrong,
        yesterday_company=company,
        company=company,
    )


def test_table_without_company_has_no_rules_for_it():
    assert chosen_rules(a_day([Company()] * 20, [0] * 20), share=0.1) == []


def test_rules_look_where_yesterday_erred():
    company = [
        Company(metadata={"lamp": "old" if row < 6 else "new"}, quality={"brightness": row / 29}) for row in range(30)
    ]
    rules = {rule["strategy"]: rule for rule in chosen_rules(a_day(company, [1] * 4 + [0] * 26), share=0.1)}
    assert rules["metadata"]["condition"] == "metadata.lamp == 'old'"
    assert (rules["quality"]["metric"], rules["quality"]["below"]) == ("brightness", pytest.approx(0.2))


def test_novelty_is_measured_from_yesterdays_pictures():
    near, far = Company(perceptual_hash=0b1), Company(perceptual_hash=-1)
    day = replace(a_day([near, near], [0, 0]), company=[far, near])
    assert novelty_bits(day) == [63, 0]


def test_table_with_metadata_is_read(tmp_path):
    (tmp_path / "people.csv").write_text("label,probability,age,town\n" + "1,0.75,30,Ulm\n0,0.5,41,Köln\n" * 50)
    day = find_metadata_tables(tmp_path)["people"].draw(1)
    seen = {(one.metadata["age"], one.metadata["town"]) for one in day.company}
    assert seen == {(30.0, "Ulm"), (41.0, "Köln")}
    assert set(day.errors.tolist()) == {0, 1}
