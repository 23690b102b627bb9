"""The inbox on a Label Studio that runs on PostgreSQL, which compares a task's data as text."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from queue_server.label_studio import LabelStudio
from queue_server.local_label_studio import LocalLabelStudio
from tests.server.label_studio_calls import call, envelope, new_project

PRIORITIES = {"low": 9.0, "high": 100.0, "middle": 60.0, "withdrawn": 500.0}


@pytest.fixture
def on_postgresql(tmp_path: Path, postgres_url: str) -> Iterator[LocalLabelStudio]:
    """A Label Studio of this test's own; its first start makes its tables and takes most of a minute."""
    with LocalLabelStudio(tmp_path / "label-studio", database_url=postgres_url) as server:
        yield server


@pytest.mark.timeout(400)
def test_most_urgent_comes_first_in_the_tab_and_in_the_label_stream(on_postgresql: LocalLabelStudio) -> None:
    client = LabelStudio(on_postgresql.url, on_postgresql.api_key)
    project_id = new_project(client)
    view_id = client.ensure_inbox(project_id)
    sent = [envelope(name, priority=value, is_in_inbox=name != "withdrawn") for name, value in PRIORITIES.items()]
    client.import_tasks(project_id, sent)

    path = f"/api/tasks/?view={view_id}&project={project_id}&fields=task_only"
    listed = call(on_postgresql, "GET", path)["tasks"]
    assert [task["data"]["sample_id"] for task in listed] == ["high", "middle", "low"]

    # What the button "Label Tasks As Displayed" sends: the tab's filters and order, but not its display types.
    shown = call(on_postgresql, "GET", f"/api/dm/views/{view_id}/")["data"]
    body = {name: shown[name] for name in ("filters", "ordering")}
    first = call(on_postgresql, "POST", f"/api/dm/actions/?id=next_task&project={project_id}", body)
    assert first["data"]["sample_id"] == "high"
