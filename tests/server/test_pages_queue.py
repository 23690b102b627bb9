"""The queue's page: what it finds, in which order, and what it sends to annotators."""

import io

import pytest
from PIL import Image
from playwright.sync_api import Browser
from sqlmodel import select

from feedback_sdk.types import Sample
from queue_server import models
from queue_server.store import inbox, samples
from queue_server.store.engine import reading, writing
from queue_server.store.inbox import InboxFilter, Order, Place, Range
from tests.server.conftest import Server, jpeg, prediction, sample
from tests.server.pages import Person
from tests.server.test_pages import Shown


def listed(server: Server, query: str = "") -> list[str]:
    """Return the ids of the samples that a page shows, in order."""
    page = Shown(server.admin.get(f"/queue{query}").raise_for_status())
    return [str(found["value"]) for tag, found in page.elements if tag == "input" and found.get("name") == "sample"]


def post(server: Server, *confidences: float, **more: object) -> Sample:
    value = sample(prediction(*confidences), **more)
    server.post(value, jpeg()).raise_for_status()
    return value


def ids(*values: Sample) -> list[str]:
    return [str(value.id) for value in values]


def form(server: Server, path: str = "/queue?filtered=1") -> dict[str, str]:
    """Return what a form of a page must bring."""
    page = Shown(server.admin.get(path).raise_for_status())
    token = next(found["value"] for _, found in page.elements if found.get("name") == "csrf_token")
    return {"csrf_token": str(token)}


def state(server: Server, value: Sample) -> object:
    return server.sample(value.id)["state"]


# What it finds.


def test_nothing_waits_at_first(server: Server) -> None:
    assert listed(server) == []
    assert "Nothing waits for an annotator." in server.admin.get("/queue").text


def test_without_a_filter_it_shows_what_waits(server: Server) -> None:
    waiting, _ = post(server, 0.9), post(server, 0.9)
    server.say(waiting.id, "rejected")
    assert listed(server) == ids(waiting)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "abc"),
        ("&state=queued", "a"),
        ("&state=queued&state=awaiting_feedback", "abc"),
        ("&reason=user_rejected", "a"),
        ("&model_version=v1", "abc"),
        ("&model_version=v2", ""),
        ("&verdict=rejected", "a"),
        ("&tag=night", "b"),
        ("&stream=door", "c"),
        ("&figure=confidence&low=0.55&high=0.75", "b"),
        ("&figure=object_count&low=2", "c"),
        ("&where=confidence+%3E+0.85", "a"),
        ("&where=metadata.site+%3D%3D+'north'", "b"),
        ("&before=2020-01-01", ""),
    ],
)
def test_filter_finds(server: Server, query: str, found: str) -> None:
    made = {
        "a": post(server, 0.9),
        "b": post(server, 0.7, tags=["night"], metadata={"site": "north"}),
        "c": post(server, 0.8, 0.8, stream="door"),
    }
    server.say(made["a"].id, "rejected")
    assert sorted(listed(server, f"?filtered=1{query}")) == sorted(ids(*(made[name] for name in found)))


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("-received_at", "cba"),
        ("received_at", "abc"),
        ("confidence", "bac"),
        ("-confidence", "cab"),
        ("object_count", "cba"),
    ],
)
def test_order_is_by_any_figure(server: Server, sort: str, order: str) -> None:
    made = {"a": post(server, 0.6, 0.6), "b": post(server, 0.3), "c": post(server, 0.9)}
    assert listed(server, f"?filtered=1&sort={sort}") == ids(*(made[name] for name in order))


def test_each_database_finds_and_sorts_the_same(each_server: Server) -> None:
    night, day = post(each_server, 0.4, tags=["night"], stream="door"), post(each_server, 0.9)
    each_server.post(sample(prediction=None), jpeg())
    assert listed(each_server, "?filtered=1&sort=confidence")[:2] == ids(night, day)
    assert len(listed(each_server, "?filtered=1&sort=-object_count&state=awaiting_feedback&state=queued")) == 3
    for query in ("tag=night", "stream=door", "figure=confidence&high=0.5", "where=tags+has+'night'"):
        assert listed(each_server, f"?filtered=1&{query}&sort=-brightness") == ids(night)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("state=lost", "State must be one of awaiting_feedback"),
        ("sort=beauty", "Sort must be one of this project's figures"),
        ("figure=beauty", "Figure must be one of this project's"),
        ("figure=confidence&low=much", "Low must be a number, got 'much'"),
        ("figure=confidence&low=nan", "Low must be a number"),
        ("before=yesterday", "Before must be a day or a time such as"),
        ("similar_to=7", "Similar_to must be a sample"),
        ("where=colour+%3D%3D+'red'", "The condition"),
        ("tag=%00", "no zero byte"),
    ],
)
def test_what_is_wrong_in_a_filter_is_said(server: Server, query: str, words: str) -> None:
    answer = server.admin.get(f"/queue?filtered=1&{query}")
    assert answer.status_code == 200
    assert words in Shown(answer).text


@pytest.mark.parametrize("order", [Order(), Order(name="confidence", is_descending=False), Order(name="brightness")])
def test_pages_follow_each_other_without_a_gap_or_a_repeat(each_server: Server, order: Order) -> None:
    for confidence in (0.5, 0.5, 0.2, 0.9, 0.5):
        post(each_server, confidence)
    each_server.post(sample(prediction=None))
    seen: list[int] = []
    after: Place | None = None
    with reading(each_server.backend.engine) as session:
        while not seen or after is not None:
            page = inbox.page(session, each_server.project.id, InboxFilter(), order=order, after=after, limit=2)
            seen, after = [*seen, *page.pks], page.next_place
    assert (len(seen), len(set(seen)), page.found) == (6, 6, 6)


def test_of_very_many_the_newest_are_looked_at_and_the_rest_is_a_link_away(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "WINDOW", 2)
    old, *new = [post(server, 0.9) for _ in range(3)]
    page = Shown(server.admin.get("/queue?filtered=1&sort=confidence"))
    assert sorted(listed(server, "?filtered=1")) == sorted(ids(*new))
    (link,) = [link for link in page.links if link and "before=" in link]
    assert listed(server, link.replace("%3A", ":")) == ids(old)


def test_range_without_limits_narrows_nothing(server: Server) -> None:
    post(server, 0.9)
    with reading(server.backend.engine) as session:
        narrowed = InboxFilter(ranges=(Range(name="confidence"),))
        page = inbox.page(session, server.project.id, narrowed, order=Order(), after=None, limit=9)
    assert page.found == 1


def test_samples_like_another_come_without_it(server: Server) -> None:
    one, other = post(server, 0.9), post(server, 0.9)
    assert listed(server, f"?similar_to={one.id}") == ids(other)


def test_other_projects_samples_are_not_shown(server: Server) -> None:
    post(server, 0.9)
    with writing(server.backend.engine) as session:
        row = session.exec(select(models.Project)).one()
        values = row.model_dump(exclude={"id", "name"})
        other = models.Project(name="other", **values)
        session.add(other)
        session.flush()
        session.exec(select(models.Sample)).one().project_id = other.id or 0
    assert listed(server, "?filtered=1") == []


# What it shows of a sample.


def test_card_tells_why_and_what_each_voice_says(server: Server) -> None:
    value = post(server, 0.9, 0.8)
    server.say(value.id, "corrected", correction={"count": 3}, reporter="anna")
    page = Shown(server.admin.get("/queue"))
    for words in ("Model: 2 objects", "User: corrected: 3 objects", "It is queued for an annotator by user_rejected."):
        assert words in page.text
    assert "Model: 2 objects. User: corrected: 3 objects." in {found.get("aria-label") for _, found in page.elements}


def test_boxes_of_three_voices_are_told_apart_without_colour(server: Server, browser: Browser) -> None:
    value = post(server, 0.9)
    box = {"action": "add", "label": "pill", "x_min": 20.0, "y_min": 9.0, "x_max": 30.0, "y_max": 19.0}
    server.say(value.id, "corrected", correction={"boxes": [box]})
    with Person(browser, server) as person:
        page = person.open("/queue")
        dashes = [
            page.locator(f".card .{voice} path.over").evaluate("(node) => getComputedStyle(node).strokeDasharray")
            for voice in ("model", "user")
        ]
        assert page.locator(".card img").evaluate("(node) => node.decode().then(() => node.naturalWidth)") == 64
    assert dashes[0] == "none"
    assert dashes[1] != "none"


def test_image_that_has_not_come_is_said(server: Server) -> None:
    server.post(sample())
    assert "Its image has not come." in server.admin.get("/queue?filtered=1").text


# What it sends.


def test_chosen_samples_are_sent_to_annotators(server: Server) -> None:
    chosen, left = post(server, 0.9), post(server, 0.9)
    answer = server.admin.post(
        "/queue/request", data=form(server) | {"which": "chosen", "sample": str(chosen.id), "reason": "blurred"}
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/queue?requested=1")
    assert (state(server, chosen), state(server, left)) == ("queued", "awaiting_feedback")
    with reading(server.backend.engine) as session:
        assert samples.find(session, server.project.id, chosen.id).request_reason == "blurred"


@pytest.mark.parametrize(("query", "sent"), [("tag=night", "ac"), ("tag=night&sort=confidence", "ac"), ("tag=day", "")])
def test_all_that_a_filter_finds_is_sent(server: Server, query: str, sent: str) -> None:
    made = {name: post(server, 0.9, tags=[tag]) for name, tag in {"a": "night", "b": "dawn", "c": "night"}.items()}
    data = form(server) | {"which": "first", "how_many": "9"}
    server.admin.post(f"/queue/request?filtered=1&{query}", data=data)
    assert "".join(name for name, value in made.items() if state(server, value) == "queued") == sent


def test_no_more_than_asked_for_are_sent_in_the_order_shown(server: Server) -> None:
    low, high = post(server, 0.3), post(server, 0.9)
    data = form(server) | {"which": "first", "how_many": "1"}
    server.admin.post("/queue/request?filtered=1&sort=-confidence", data=data)
    assert (state(server, low), state(server, high)) == ("awaiting_feedback", "queued")


def test_what_is_alike_is_sent_too(server: Server) -> None:
    one, other = post(server, 0.9), post(server, 0.9)
    data = form(server) | {"which": "first", "how_many": "5"}
    server.admin.post(f"/queue/request?similar_to={one.id}", data=data)
    assert (state(server, one), state(server, other)) == ("awaiting_feedback", "queued")


def test_wrong_filter_sends_nothing(server: Server) -> None:
    value = post(server, 0.9)
    data = form(server) | {"which": "first"}
    answer = server.admin.post("/queue/request?filtered=1&state=lost", data=data)
    assert (answer.status_code, state(server, value)) == (422, "awaiting_feedback")


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({}, "none"),
        ({}, "wrong"),
        ({"Sec-Fetch-Site": "cross-site"}, "right"),
        ({"Sec-Fetch-Site": "same-site"}, "right"),
        ({"Origin": "https://evil.example"}, "right"),
        ({"Origin": "null"}, "right"),
    ],
)
def test_form_that_is_not_ours_changes_nothing(server: Server, headers: dict[str, str], token: str) -> None:
    value = post(server, 0.9)
    tokens = {"none": {}, "wrong": {"csrf_token": "1.x.y"}, "right": form(server)}
    data = tokens[token] | {"which": "chosen", "sample": str(value.id)}
    answer = server.admin.post("/queue/request", data=data, headers=headers)
    assert (answer.status_code, state(server, value)) == (403, "awaiting_feedback")


def test_token_of_another_project_is_refused(server: Server) -> None:
    value = post(server, 0.9)
    right = form(server)["csrf_token"]
    data = {"csrf_token": f"7{right[1:]}", "which": "chosen", "sample": str(value.id)}
    assert server.admin.post("/queue/request", data=data).status_code == 403


@pytest.mark.parametrize("kind", ["read", "ingest", "open"])
def test_only_an_admin_may_send(server: Server, kind: str) -> None:
    value = post(server, 0.9)
    data = form(server) | {"which": "chosen", "sample": str(value.id)}
    answer = getattr(server, kind).post("/queue/request", data=data)
    assert (answer.status_code in (401, 403), state(server, value)) == (True, "awaiting_feedback")


def test_person_filters_and_sends_with_a_few_clicks(server: Server, browser: Browser) -> None:
    night, day = post(server, 0.9, tags=["night"]), post(server, 0.9)
    with Person(browser, server) as person:
        page = person.open("/queue?filtered=1")
        page.get_by_label("Tag").fill("night")
        page.get_by_label("Tag").press("Tab")
        page.get_by_text("Found 1").wait_for()
        assert "tag=night" in page.url
        page.get_by_role("button", name="Send the first of all found").click()
        page.get_by_text("1 sample was sent to annotators.").wait_for()
        assert person.faults() == []
    assert (state(server, night), state(server, day)) == ("queued", "awaiting_feedback")


# Thumbnails.


def image_url(server: Server, value: Sample, width: int) -> str:
    return f"{server.sample(value.id)['image_url']}&width={width}".partition("8500")[2]


@pytest.mark.parametrize(("width", "made"), [(100, 240), (480, 480), (481, 960), (960, 960)])
def test_thumbnail_is_as_wide_as_asked_for_or_a_little_wider(server: Server, width: int, made: int) -> None:
    value = sample(prediction(0.9, image_size=(1200, 900)))
    server.post(value, jpeg(1200, 900)).raise_for_status()
    answer = server.open.get(image_url(server, value, width)).raise_for_status()
    assert Image.open(io.BytesIO(answer.content)).size == (made, made * 3 // 4)
    assert (answer.headers["Content-Type"], "immutable" in answer.headers["Cache-Control"]) == ("image/jpeg", True)


def test_small_image_is_its_own_thumbnail(server: Server) -> None:
    value = sample()
    content = jpeg()
    server.post(value, content)
    assert server.open.get(image_url(server, value, 480)).content == content


@pytest.mark.parametrize("width", [0, 961, -1])
def test_thumbnail_of_any_other_width_is_refused(server: Server, width: int) -> None:
    value = post(server, 0.9)
    assert server.open.get(image_url(server, value, width)).status_code == 422


def test_signature_is_asked_for_thumbnails_too(server: Server) -> None:
    value = post(server, 0.9)
    assert server.open.get(image_url(server, value, 240).replace("signature=", "signature=x")).status_code == 403
