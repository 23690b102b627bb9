"""docs/policy.md names every strategy with all of its parameters, their ranges and their defaults."""

import re
from pathlib import Path

import pytest

from queue_server.core.policy import STRATEGIES
from queue_server.core.policy.parameters import Parameter
from queue_server.core.policy.reading import COMMON
from queue_server.policy_file import parse

DOCS = Path(__file__).parent.parent / "docs" / "policy.md"


def told(parameter: Parameter) -> str:
    """Return what a parameter may be, and what it is where nothing is said."""
    schema = parameter.schema()
    if "enum" in schema:
        kind = " ".join(f"`{word}`" for word in schema["enum"])
    elif "oneOf" in schema:
        number = schema["oneOf"][0]
        kind = f"{number['minimum']:g} to {number['maximum']:g}, or taken from the traffic"
    elif "minimum" in schema:
        kind = f"{schema['minimum']:g} to {schema['maximum']:g}"
    else:
        kind = {"array": "a list", "boolean": "true or false", "object": "a number by label"}.get(
            str(schema["type"]), "a text"
        )
        kind = "a time span" if "pattern" in schema else kind
    default = f"; {schema['default']}" if "default" in schema else ""
    return f"{kind}{default}"


def rows() -> list[str]:
    """Return the table's rows as the docs must have them."""
    found = []
    for name, strategy in STRATEGIES.items():
        found.append(f"| `{name}` | | {strategy.about} | priority {strategy.priority} |")
        for key, parameter in strategy.parameters.items():
            found.append(f"| | `{key}` | {parameter.schema()['description']} | {told(parameter)} |")
    return found


def test_table_of_strategies_is_that_of_the_code() -> None:
    there = [line for line in DOCS.read_text().splitlines() if line.startswith(("| `", "| | `"))]
    assert there[: len(rows())] == rows(), "replace the table in docs/policy.md by:\n" + "\n".join(rows())


@pytest.mark.parametrize("name", [*COMMON, "route", "budget"])
def test_what_any_rule_may_carry_is_told(name: str) -> None:
    assert f"`{name}`" in DOCS.read_text()


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", DOCS.read_text(), re.DOTALL) if DOCS.exists() else [])
def test_policies_of_the_docs_are_taken(text: str) -> None:
    head = "" if text.startswith("project:") else "project: docs\ntask: detection\nlabels: [pill, capsule]\n"
    parse(head + text)
