"""The JSON Schema for editors says what the reader says, on files that are right and on files that are wrong."""

from pathlib import Path

import jsonschema
import pytest
import yaml

from queue_server import policy_file
from queue_server.core.policy import STRATEGIES
from queue_server.core.policy.schema import project_schema
from queue_server.errors import PolicyError

ROOT = Path(__file__).parents[3]
SCHEMA = project_schema(STRATEGIES)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
HEAD = "project: p\ntask: detection\nlabels: [pill]\n"


def is_read(text: str) -> bool:
    try:
        policy_file.parse(text)
    except PolicyError:
        return False
    return True


def is_valid(text: str) -> bool:
    return VALIDATOR.is_valid(yaml.safe_load(text))


def readme_example() -> str:
    text = (ROOT / "README.md").read_text()
    return next(block.partition("```")[0] for block in text.split("```yaml\n")[1:] if block.startswith("project:"))


def test_it_is_a_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "text",
    [
        HEAD,
        HEAD + "rules: []",
        readme_example(),
        (ROOT / "examples/pill_counter/project.yaml").read_text(),
        HEAD + "rules: [{strategy: entropy, threshold: {target_per_day: 20}, aggregate: max, where: 'count > 3'}]",
        HEAD + "rules: [{strategy: empty, budget: {per_day: 5, mode: held}, route: {tab: Empty}, annotators: 2}]",
        HEAD + "budget: {minutes_per_day: 60, per_stream: {per_hour: 3}, audit_share: 0.5}",
        HEAD + "near_duplicates: {span: 90s}",
        HEAD
        + "channels: {ops: {webhook: 'https://a.example', secret: LOOKSWRONG_CHANNEL_OPS}, b: {email: a@b.example}}",
        HEAD + "alerts: [{name: fell, figure: accuracy, below: 0.9, clear: 0.92, for: 1d, every: 7d, over: 14d}]",
        HEAD + "alerts: [{name: a, figure: drift.brightness, outside: [0, 1]}, {name: b, figure: f1, below: 0.5}]",
        HEAD + "slices: {night: tags has 'night', dark: {where: metric.brightness < 0.3, since: '2026-11-01'}}",
        HEAD + "retraining: {new_errors: 200, include: [confirmed], format: coco, wait: 7d}",
    ],
)
def test_file_that_is_right_is_valid_in_an_editor(text: str) -> None:
    assert (is_read(text), is_valid(text)) == (True, True)


@pytest.mark.parametrize(
    "text",
    [
        "rules: []",
        HEAD + "rulez: []",
        HEAD.replace("detection", "detektion"),
        HEAD.replace("[pill]", "[]"),
        HEAD + "rules: [{}]",
        HEAD + "rules: [{strategy: randm}]",
        HEAD + "rules: [{strategy: random}]",
        HEAD + "rules: [{strategy: random, rate: 2}]",
        HEAD + "rules: [{strategy: random, rate: 1, budget: {per_day: 5}}]",
        HEAD + "rules: [{strategy: empty, threshold: 0.5}]",
        HEAD + "rules: [{strategy: empty, priority: 1.5}]",
        HEAD + "rules: [{strategy: entropy, threshold: {quantile: 2}}]",
        HEAD + "rules: [{strategy: entropy, threshold: {quantile: 0.1, target_per_day: 2}}]",
        HEAD + "rules: [{strategy: empty, route: {}}]",
        HEAD + "rules: [{strategy: empty, where: ''}]",
        HEAD + "budget: {}",
        HEAD + "budget: {mode: held}",
        HEAD + "budget: {per_week: 5}",
        HEAD + "near_duplicates: {distance: 40}",
        HEAD + "near_duplicates: {span: soon}",
        HEAD + "label_studio: {project: x}",
        HEAD + "channels: {ops: {}}",
        HEAD + "channels: {Ops: {email: a@b.example}}",
        HEAD + "channels: {ops: {slack: 'https://hooks.example/secret'}}",
        HEAD + "channels: {ops: {webhook: LOOKSWRONG_SECRET_KEY}}",
        HEAD + "channels: {ops: {email: a@b.example, secret: LOOKSWRONG_CHANNEL_OPS}}",
        HEAD + "alerts: [{name: fell, figure: accuracy}]",
        HEAD + "alerts: [{name: fell, figure: mood, below: 1}]",
        HEAD + "alerts: [{name: fell, figure: accuracy, below: 0.9, above: 1}]",
        HEAD + "alerts: [{figure: accuracy, below: 0.9}]",
        HEAD + "alerts: [{name: a, figure: metric.mood, below: 0.9}]",
        HEAD + "slices: {night: {were: count > 3}}",
        HEAD + "slices: {Night: count > 3}",
        HEAD + "retraining: {wait: 7d}",
        HEAD + "retraining: {new_errors: 0}",
        HEAD + "retraining: {new_errors: 5, include: [annotator]}",
    ],
)
def test_file_that_is_wrong_is_marked_in_an_editor(text: str) -> None:
    assert (is_read(text), is_valid(text)) == (False, False)


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_describes_each_of_its_parameters(name: str) -> None:
    branches = {
        item["if"]["properties"]["strategy"]["const"]: item["then"] for item in SCHEMA["$defs"]["rule"]["allOf"]
    }
    rule = branches[name]
    described = {key for key, value in rule["properties"].items() if value.get("description") or "$ref" in value}
    assert {"strategy", "name", "priority", "where", *STRATEGIES[name].parameters} <= described
