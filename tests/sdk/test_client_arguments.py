"""Whatever an app hands over, no method raises: it is counted and told."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from feedback_sdk import Box, Prediction
from feedback_sdk.testing import MemoryTransport

ID = "12345678-1234-5678-1234-567812345678"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BOX = {"label": "pill", "x_min": 1.0, "y_min": 2.0, "x_max": 3.0, "y_max": 4.0}
PREDICTION = Prediction(model_version="v1", task="detection", boxes=[Box(**BOX)])


@pytest.fixture
def transport():
    return MemoryTransport()


@pytest.fixture
def client(make_client, transport):
    return make_client(transport=transport)


BAD_ARGUMENTS = [
    ("log_prediction", (), {"id": "not a uuid"}),
    ("log_prediction", (), {"id": 7}),
    ("log_prediction", ("/no/such/file.jpg",), {}),
    ("log_prediction", ("/",), {}),
    ("log_prediction", (b"",), {}),
    ("log_prediction", (7,), {}),
    ("log_prediction", ("nul\0byte",), {}),
    ("log_prediction", (np.zeros((2, 2)),), {}),
    ("log_prediction", (None, "pill"), {}),
    ("log_prediction", (None, {}), {}),
    ("log_prediction", (None, {"model_version": "v", "task": "flying"}), {}),
    ("log_prediction", (None, {"model_version": "v", "task": "counting", "what": 1}), {}),
    ("log_prediction", (None, {"model_version": "v", "task": "detection", "boxes": [{"label": "x"}]}), {}),
    ("log_prediction", (None, {"model_version": "v", "task": "detection", "boxes": "none"}), {}),
    ("log_prediction", (None, {"model_version": "v", "task": "counting", "confidence": float("nan")}), {}),
    ("log_prediction", (None, {"model_version": "v", "task": "segmentation", "masks": [{"rle": 1}]}), {}),
    ("log_prediction", (), {"tags": "night"}),
    ("log_prediction", (), {"tags": [""]}),
    ("log_prediction", (), {"tags": 7}),
    ("log_prediction", (), {"metadata": {"x": object()}}),
    ("log_prediction", (), {"metadata": {"x": float("inf")}}),
    ("log_prediction", (), {"metadata": "text"}),
    ("log_prediction", (), {"metadata": {"x": "\ud800"}}),
    ("log_prediction", (), {"subject": 7}),
    ("log_prediction", (), {"capture_probability": 0.0}),
    ("log_prediction", (), {"stands_for": 0}),
    ("log_prediction", (), {"embedding": [float("nan")]}),
    ("log_prediction", (), {"embedding": ["1"]}),
    ("log_prediction", (), {"embedding": np.zeros((2, 2))}),
    ("log_prediction", (), {"captured_at": datetime(2026, 1, 1)}),  # noqa: DTZ001  # the naive time is the point
    ("log_prediction", (), {"captured_at": "today"}),
    ("log_prediction", (), {"colour": "red"}),
    ("confirm", (), {}),
    ("confirm", (ID,), {"age_ms": -1}),
    ("confirm", (ID,), {"feedback_id": "x"}),
    ("reject", (ID,), {"comment": "x" * 5000}),
    ("reject", (ID,), {"reporter": ""}),
    ("correct", (ID,), {}),
    ("correct", (ID,), {"count": -1}),
    ("correct", (ID,), {"count": "30"}),
    ("correct", (ID,), {"points": [(1,)]}),
    ("correct", (ID,), {"points": 7}),
    ("correct", (ID,), {"boxes": [7]}),
    ("correct", (ID,), {"boxes": [{"action": "add"}]}),
    ("feedback_token", ("x",), {}),
    ("feedback_token", (ID,), {"scope": "everything"}),
    ("feedback_token", (ID,), {"lifetime": 7}),
    ("status", ("nonsense",), {}),
    ("_resolved", (datetime(2026, 1, 1),), {}),  # noqa: DTZ001  # the naive time is the point
    ("log_prediction", (b"",), {}),
    ("feedback_token", (ID,), {"lifetime": timedelta.max}),
]


@pytest.mark.parametrize(("method", "args", "options"), BAD_ARGUMENTS)
def test_a_bad_argument_is_counted_and_told_and_never_raised(make_client, transport, method, args, options):
    drops = []
    client = make_client(transport=transport, on_drop=drops.append)
    assert getattr(client, method)(*args, **options) is None
    assert [drop.reason for drop in drops] == ["invalid"]
    assert (client.stats().dropped, client.stats().accepted) == ({"invalid": 1}, 0)
