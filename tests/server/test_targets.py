"""Routes and tabs: labeling tasks that go to another project in Label Studio, or to a tab of their own."""

import threading

import pytest

from queue_server import models
from queue_server.backend import Backend
from queue_server.doctor import examine
from queue_server.errors import LabelStudioError
from queue_server.label_studio import LabelStudio
from queue_server.projects import each_target
from queue_server.push import PushResult, push_project
from queue_server.store import targets
from queue_server.store.engine import reading, writing
from tests.server.conftest import NOW, Server, apply_project
from tests.server.label_studio_calls import in_tab
from tests.server.loop import Loop, loop

__all__ = ["loop"]  # the fixture


def routed(loop: Loop, route: str) -> str:
    """Let rejected samples go elsewhere; return the title of that place."""
    title = f"{loop.project.label_studio_title} 2"
    loop.apply(f"strategy: user_rejected, route: {{{route.format(title=title)}}}")
    return title


def target(loop: Loop, title: str) -> models.LabelStudioTarget:
    with reading(loop.backend.engine) as session:
        found = targets.find(session, loop.project.id, title)
    assert found is not None
    return found


def test_project_without_a_push_has_no_target(server: Server) -> None:
    with reading(server.backend.engine) as session:
        assert targets.of_project(session, server.project.id) == []
        assert targets.main(session, server.project) is None


def test_target_is_made_once_whoever_asks(backend: Backend) -> None:
    project = apply_project(backend)

    def ensure() -> None:
        with writing(backend.engine) as session:
            targets.ensure(session, project, "elsewhere", now=NOW)

    threads = [threading.Thread(target=ensure) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(backend.engine) as session:
        assert [row.title for row in targets.of_project(session, project.id)] == ["elsewhere"]


def test_task_is_pushed_to_the_project_that_its_rule_names(loop: Loop) -> None:
    usual = loop.queue()
    title = routed(loop, 'project: "{title}"')
    special = loop.queue()
    assert loop.push() == PushResult(pushed=2)
    assert [task["data"]["sample_id"] for task in loop.tasks()] == [str(usual)]
    assert [task["data"]["sample_id"] for task in loop.tasks(target(loop, title))] == [str(special)]
    assert loop.push() == PushResult()


def test_annotations_come_back_from_every_target(loop: Loop) -> None:
    usual = loop.queue()
    routed(loop, 'project: "{title}"')
    special = loop.queue()
    loop.push()
    for sample_id in (usual, special):
        loop.annotate(sample_id)
    assert loop.pull().annotations == 2
    assert {loop.server.sample(sample_id)["state"] for sample_id in (usual, special)} == {"annotated"}


def test_task_that_was_deleted_elsewhere_is_noticed_there_alone(loop: Loop) -> None:
    usual = loop.queue()
    routed(loop, 'project: "{title}"')
    special = loop.queue()
    loop.push()
    loop.label_studio.delete(f"/api/tasks/{loop.task(special)['id']}/").raise_for_status()
    assert loop.pull().deleted_tasks == 1
    assert [loop.server.sample(sample_id)["state"] for sample_id in (usual, special)] == ["pushed", "archived"]


def test_task_of_a_tab_is_shown_there_and_not_in_the_inbox(loop: Loop, label_studio) -> None:  # type: ignore[no-untyped-def]  # tests are not typed
    usual = loop.queue()
    routed(loop, 'tab: "Night shift"')
    dark = loop.queue()
    loop.push()
    place, tabs = loop.target.label_studio_project_id, loop.target.tabs
    assert in_tab(label_studio, loop.target.label_studio_view_id, place) == [str(usual)]
    assert in_tab(label_studio, tabs["Night shift"], place) == [str(dark)]


def test_route_may_name_a_project_and_a_tab_there(loop: Loop, label_studio) -> None:  # type: ignore[no-untyped-def]  # tests are not typed
    title = routed(loop, 'project: "{title}", tab: "Night shift"')
    dark = loop.queue()
    loop.push()
    there = target(loop, title)
    assert in_tab(label_studio, there.tabs["Night shift"], there.label_studio_project_id) == [str(dark)]
    assert loop.target.tabs == {}


def test_later_match_leaves_a_task_where_it_is(loop: Loop) -> None:
    routed(loop, 'project: "{title}"')
    sample_id = loop.queue()
    loop.push()
    before = loop.task(sample_id)
    loop.server.say(sample_id, "rejected", reporter="ben")
    assert loop.push() == PushResult(updated=1)
    after = loop.task(sample_id)
    assert (after["id"], after["project"]) == (before["id"], before["project"])


def test_title_that_changes_leaves_the_old_target_to_be_pulled(loop: Loop) -> None:
    sample_id = loop.queue()
    loop.push()
    title = f"{loop.project.label_studio_title} new"
    with writing(loop.backend.engine) as session:
        session.get_one(models.Project, loop.project.id).label_studio_title = title
    loop.push()
    loop.annotate(sample_id)
    assert loop.pull().annotations == 1


def test_each_target_is_examined(loop: Loop) -> None:
    title = routed(loop, 'project: "{title}"')
    loop.queue()
    loop.push()
    names = [finding.name for finding in examine(loop.backend)]
    assert names[-2:] == ["project pill-counter", f"project pill-counter, {title}"]


class _Refusing(LabelStudio):
    """Label Studio that lets nobody make the project of one title."""

    def ensure_project(self, title: str, label_config: str) -> int:
        if title.endswith(" 2"):
            raise LabelStudioError("403: not yours", permanent=True, status=403)
        return super().ensure_project(title, label_config)


def test_target_that_is_refused_holds_up_no_other_and_tells_why(loop: Loop, label_studio) -> None:  # type: ignore[no-untyped-def]  # tests are not typed
    usual = loop.queue()
    title = routed(loop, 'project: "{title}"')
    loop.queue()
    refusing = _Refusing(label_studio.url, label_studio.api_key)
    with pytest.raises(LabelStudioError, match="not yours"):
        push_project(loop.backend, refusing, loop.project)
    assert loop.server.sample(usual)["state"] == "pushed"
    assert (loop.target.error, target(loop, title).error) == (None, "403: not yours")
    loop.push()
    assert target(loop, title).error is None


def test_work_at_no_target_is_nothing(sqlite_backend: Backend) -> None:
    assert each_target(sqlite_backend, [], lambda _target: 1) == []
