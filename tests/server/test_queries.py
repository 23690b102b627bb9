"""Reading back: lists with filters and pages, reports, metrics."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.server.conftest import Server, jpeg, prediction, sample


def ids(server: Server, **query: str | int) -> list[str]:
    answer = server.read.get("/v1/samples", params=query).raise_for_status().json()
    return [item["id"] for item in answer["samples"]]


def test_pages_follow_each_other_without_gap_or_repeat(each_server: Server) -> None:
    posted = [sample() for _ in range(7)]
    for value in posted:
        each_server.post(value)
    seen, cursor = [], None
    while True:
        query = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = each_server.read.get("/v1/samples", params=query).json()
        seen += [item["id"] for item in page["samples"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [str(value.id) for value in reversed(posted)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"state": "queued"}, ["rejected"]),
        ({"state": "held"}, []),
        ({"reason": "user_rejected"}, ["rejected"]),
        ({"reason": "confirmed"}, ["confirmed"]),
        ({"model_version": "v2"}, ["confirmed"]),
        ({"tag": "night"}, ["rejected"]),
        ({"tag": "nigh"}, []),
        ({"tag": 'night"'}, []),
        ({"since": "2100-01-01T00:00:00Z"}, []),
    ],
)
def test_list_is_narrowed_by_each_filter(each_server: Server, query: dict[str, str], expected: list[str]) -> None:
    rejected = sample(tags=["night", "phone"])
    confirmed = sample(prediction(0.9, model_version="v2"), tags=["day"])
    names = {str(rejected.id): "rejected", str(confirmed.id): "confirmed"}
    for value in (rejected, confirmed):
        each_server.post(value, jpeg())
    each_server.say(rejected.id, "rejected")
    each_server.say(confirmed.id, "confirmed")
    assert [names[sample_id] for sample_id in ids(each_server, **query)] == expected


def test_since_takes_what_came_from_then_on(server: Server) -> None:
    server.post(sample())
    moment = datetime.now(UTC)
    later = sample()
    server.post(later)
    assert ids(server, since=moment.isoformat().replace("+00:00", "Z")) == [str(later.id)]
    assert len(ids(server, since=(moment - timedelta(hours=1)).isoformat().replace("+00:00", "Z"))) == 2


@pytest.mark.parametrize("design", [{}, {"capture_probability": 0.25, "stands_for": 12}])
def test_sample_says_what_it_stands_for(each_server: Server, design: dict[str, float]) -> None:
    value = sample(**design)
    each_server.post(value)
    found = each_server.sample(value.id)
    expected = {"capture_probability": 1.0, "stands_for": 1} | design
    assert {name: found[name] for name in expected} == expected


def test_projects_do_not_see_each_others_samples(server: Server) -> None:
    from queue_server.auth import Scope, make_key
    from queue_server.store.engine import writing
    from tests.server.conftest import NOW, PROJECT, apply_project

    value = sample()
    server.post(value, jpeg())
    other = apply_project(server.backend, PROJECT.replace("pill-counter", "screws"))
    with writing(server.backend.engine) as session:
        secret_keys = server.backend.settings.secret_keys
        key = make_key(session, other, scopes=[Scope.READ], secret_keys=secret_keys, now=NOW)
    headers = {"Authorization": f"Bearer {key}"}
    assert server.open.get(f"/v1/samples/{value.id}", headers=headers).status_code == 404
    assert server.open.get("/v1/samples", headers=headers).json()["samples"] == []
    path = server.sample(value.id)["image_url"].removeprefix("http://127.0.0.1:8500").split("?")[0]
    assert server.open.get(path, headers=headers).status_code == 404


def test_breakdowns_of_the_report_sum_to_its_samples(each_server: Server) -> None:
    verdicts = ["rejected", "confirmed", None, None]
    for verdict in verdicts:
        value = sample()
        each_server.post(value, jpeg())
        if verdict:
            each_server.say(value.id, verdict)
    report = each_server.read.get("/v1/reports/quality").json()
    assert report["samples"] == 4
    assert report["by_state"] == {"archived": 1, "awaiting_feedback": 2, "queued": 1}
    assert report["by_verdict"] == {"confirmed": 1, "none": 2, "rejected": 1}
    assert report["by_reason"] == {"confirmed": 1, "none": 2, "user_rejected": 1}
    assert report["by_model_version"] == {"v1": 4}
    assert sum(cell["count"] for cell in report["cells"]) == 4


def test_metrics_say_what_the_database_holds(server: Server) -> None:
    value = sample()
    server.post(value, jpeg())
    server.say(value.id, "rejected")
    text = server.open.get("/metrics").text
    assert 'lookswrong_samples{project="pill-counter",reason="user_rejected",state="queued"} 1.0' in text
    assert 'lookswrong_feedback{project="pill-counter",verdict="rejected"} 1.0' in text
    assert 'lookswrong_labeling_tasks{project="pill-counter",state="waiting"} 1.0' in text
