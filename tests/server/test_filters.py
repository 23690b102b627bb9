"""Conditions as SQL mean what they mean in Python, on both databases."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import Session, select

from feedback_sdk.types import Box, Polygon, Prediction
from queue_server import models
from queue_server.backend import Backend
from queue_server.core.policy.conditions import SEARCH_FIELDS, Condition, parse_condition
from queue_server.core.uncertainty import object_count, predicted_labels
from queue_server.errors import PolicyError
from queue_server.store import filters
from queue_server.store.engine import reading, writing
from tests.server.conftest import NOW, apply_project

PILL = Box(label="pill", x_min=1.0, y_min=1.0, x_max=5.0, y_max=5.0, confidence=0.5)
OUTLINE = Polygon(label="capsule", points=((1.0, 1.0), (5.0, 1.0), (5.0, 5.0)))
BOXES = Prediction(model_version="v1", task="detection", boxes=[PILL, PILL], polygons=[OUTLINE])
PREDICTIONS = (
    None,
    BOXES,
    Prediction(model_version="v2", task="detection", boxes=[]),
    Prediction(model_version="v2", task="counting", count=7),
    Prediction(model_version="v1", task="classification", classes={"dog": 0.4, "cat": 0.4, "pill": 0.2}),
    Prediction(model_version="v1", task="classification", multi_label=True, classes={"dog": 0.5, "cat": 0.4}),
)
VALUES = (None, "north", "7", "it's", "ünï", 7, 7.0, -2.5, True, False, [], [7, "north", None], [True], {"a": 1}, [[7]])
TAGS = ([], ["night"], ["night", "rain", "7"])


def rows() -> list[dict[str, object]]:
    """Return samples of which hardly two are alike; the first has none of what may be missing."""
    made: list[dict[str, object]] = [{}]
    for number, value in enumerate(VALUES):
        said = PREDICTIONS[number % len(PREDICTIONS)]
        made.append(
            {
                "extra": {"x": value, "y": VALUES[number // 2], "deep": {"a b": value, "k-1": {"x": value}}},
                "tags": TAGS[number % 3],
                "rule_tags": TAGS[number % 2],
                "model_version": said.model_version if said else None,
                "stream": ("north", "it's", None)[number % 3],
                "verdict": ("rejected", None)[number % 2],
                "state": ("queued", "archived")[number % 2],
                "reason": (None, "confirmed")[number % 2],
                "confidence": (None, 0.5, 7.0)[number % 3],
                "captured_at": NOW - timedelta(hours=number),
                "said": said,
                "metric": ({}, {"brightness": 0.25}, {"brightness": 0.5, "custom.age": 7.0})[number % 3],
                "quality": (None, {"brightness": 0.25}, {"brightness": 0.5, "sharpness": 7})[number % 3],
            }
        )
    return made


def put(session: Session, project_id: int, row: Mapping[str, object]) -> int:
    """Store a sample with its shown prediction, a shadow that must not count, and an image's quality."""
    values = dict(row)
    said, quality, metrics = (values.pop(name, None) for name in ("said", "quality", "metric"))
    plain = {"tags": [], "extra": {}, "captured_at": NOW, "state": "queued"} | values
    sha256 = uuid4().hex if quality is not None else None
    if sha256 is not None:
        image = {"sha256": sha256, "width": 4, "height": 3, "media_type": "image/png", "size_bytes": 9}
        session.add(models.Image(**image, quality=quality, created_at=NOW))
        session.flush()
    known = {"sample_id": uuid4(), "payload_sha256": "p", "received_at": NOW, "policy_version": 1}
    sample = models.Sample(**plain, **known, project_id=project_id, window_ends_at=NOW, image_sha256=sha256)
    session.add(sample)
    session.flush()
    shadow = Prediction(model_version="shadow", task="detection", boxes=[PILL] * 9)
    for prediction, is_shown in ((said, True), (shadow, False)):
        if isinstance(prediction, Prediction):
            add_prediction(session, sample.id, prediction, is_shown=is_shown)
    if isinstance(metrics, dict) and metrics:
        known = {"sample_pk": sample.id, "project_id": project_id}
        session.add(models.SampleMetric(**known, measured=1, brightness=metrics["brightness"]))
        session.add(models.CustomMetric(**known, name="age", value=metrics.get("custom.age")))
    return sample.id


def add_prediction(session: Session, sample_pk: int, said: Prediction, *, is_shown: bool) -> None:
    document = {name: value for name, value in asdict(said).items() if name != "model_version"}
    row = {"sample_pk": sample_pk, "model_version": said.model_version, "document": document, "payload_sha256": "p"}
    session.add(models.Prediction(**row, is_shown=is_shown, received_at=NOW))


def facts(row: Mapping[str, object]) -> dict[str, object]:
    said = row.get("said")
    known = {"tags": [], "captured_at": NOW, "state": "queued"} | dict(row)
    return known | {
        "metadata": row.get("extra", {}),
        "labels": sorted(predicted_labels(said)) if isinstance(said, Prediction) else [],
        "count": object_count(said) if isinstance(said, Prediction) else None,
    }


def read(text: str) -> Condition:
    return parse_condition("where", text, fields=SEARCH_FIELDS)


LITERALS = ("none", "'north'", "'7'", '"it\'s"', "'ünï'", "7", "-2.5", "true", "false")
CONDITIONS = [
    *(f"metadata.x {sign} {value}" for sign in ("==", "!=") for value in LITERALS),
    *(f"metadata.x {sign} {value}" for sign in ("<", "<=", ">", ">=") for value in ("7", "-2.5", "0")),
    *(f"metadata.x has {value}" for value in LITERALS),
    *(f"{value} not in metadata.x" for value in LITERALS),
    "metadata.x in ['north', 7, none, true]",
    "metadata.x in []",
    "metadata.x not in ['north', 7]",
    "metadata.x == metadata.y",
    "metadata.x != metadata.y",
    "metadata.x in metadata.y",
    "metadata.x < metadata.y",
    "metadata.x",
    "not metadata.x",
    "metadata.deep.k-1.x == 7",
    "metadata.x.0 == 7",
    "metadata.x.a == 1",
    "metadata.deep == none",
    "metadata.absent == none",
    "metadata.absent.deeper != 1",
    "tags has 'night'",
    "'7' in tags and not tags has 'rain'",
    "rule_tags has 'night'",
    "7 in tags",
    "metadata.x in tags",
    'stream in tags or stream == "it\'s"',
    "stream == metadata.x",
    "stream not in ['north']",
    "labels has 'pill'",
    "labels has 'cat' or labels has 'dog'",
    "labels has 'capsule'",
    "'dog' not in labels",
    "count == 0 or count >= 3",
    "count == none",
    "count < metadata.x",
    "confidence == none",
    "confidence > 0.5",
    "not confidence > 0.5",
    "confidence == metadata.x",
    "model_version != 'v1'",
    "verdict == 'rejected' and state == 'queued' and reason == none",
    "reason == 'confirmed' or outcome == 'x'",
    "quality.brightness < 0.5",
    "quality.sharpness == 7 or quality.brightness == none",
    "metric.brightness < 0.5",
    "metric.brightness == none",
    "metric.custom.age == 7 or metric.custom.other > 0",
    "not metric.custom.age > 5",
    "captured_at >= '2026-11-20T06:00Z'",
    "captured_at < '2026-11-20' and captured_at != '2026-11-19T22:00:00+00:00'",
    "captured_at == '2026-11-20T12:00+00:00'",
    "true or false",
    "1 in [1] and 'a' != 'b'",
    "not (metadata.x == 7 and (tags has 'night' or not stream == none))",
    "metadata.x == 'a\x00b' or metadata.x == 'x'",
]


@pytest.fixture
def stored(backend: Backend) -> tuple[Backend, dict[int, dict[str, object]]]:
    """A database with samples, and by row id what Python knows of each."""
    project_id = apply_project(backend).id
    with writing(backend.engine) as session:
        return backend, {put(session, project_id, row): facts(row) for row in rows()}


def test_every_condition_means_the_same_in_sql_and_in_python(
    stored: tuple[Backend, dict[int, dict[str, object]]],
) -> None:
    backend, known = stored
    wrong = {}
    with reading(backend.engine) as session:
        for text in CONDITIONS:
            condition = read(text)
            found = set(session.exec(select(models.Sample.id).where(filters.matches(condition))))
            meant = {pk for pk, one in known.items() if condition.holds(one)}
            if found != meant:
                wrong[text] = (found - meant, meant - found)
    assert wrong == {}


NAMES = ("metadata.x", "metadata.y", "metadata.deep.k-1.x", "stream", "confidence", "count", "metric.brightness")
VALUES_SAID = (*LITERALS, "0", "1e999", "0.5", "'night'", "[7, 'north']")
PLAIN = st.one_of(
    st.tuples(
        st.sampled_from(NAMES), st.sampled_from(("==", "!=", "<", ">=")), st.sampled_from((*VALUES_SAID, *NAMES))
    ),
    st.tuples(
        st.sampled_from((*VALUES_SAID, *NAMES)),
        st.sampled_from(("in", "not in")),
        st.sampled_from(("tags", "labels", "rule_tags", "metadata.x", "metadata.y", "[7, 'north', none]")),
    ),
).map(" ".join)
COMPOUND = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        inner.map("not ({})".format),
        st.tuples(inner, st.sampled_from(("and", "or")), inner).map("({0[0]}) {0[1]} ({0[2]})".format),
    ),
    max_leaves=6,
)


def test_any_condition_means_the_same_in_sql_and_in_python(
    stored: tuple[Backend, dict[int, dict[str, object]]],
) -> None:
    backend, known = stored

    @given(text=COMPOUND)
    @settings(max_examples=150, deadline=None, database=None)
    def check(text: str) -> None:
        try:
            condition = read(text)
        except PolicyError:
            return
        with reading(backend.engine) as session:
            found = set(session.exec(select(models.Sample.id).where(filters.matches(condition))))
        assert found == {pk for pk, one in known.items() if condition.holds(one)}

    check()


def test_condition_is_never_unknown(stored: tuple[Backend, dict[int, dict[str, object]]]) -> None:
    backend, known = stored
    with reading(backend.engine) as session:
        for text in CONDITIONS:
            query = select(models.Sample.id).where(filters.matches(read(f"({text}) or not ({text})")))
            assert set(session.exec(query)) == set(known), text
