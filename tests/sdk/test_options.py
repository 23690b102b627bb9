"""What a client may be told, and what it says of options that cannot be."""

from datetime import timedelta

import pytest

from feedback_sdk import options
from feedback_sdk.errors import ValidationError


def test_no_option_need_be_given():
    options.check({})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_spool_bytes", 0),
        ("max_spool_bytes", "many"),
        ("max_spool_age", timedelta()),
        ("max_spool_age", 30),
        ("durability", "never"),
        ("upload", "maybe"),
        ("max_bytes_per_second", -1.0),
        ("timeout_seconds", 0),
        ("sample_rate", 0.0),
        ("sample_rate", 1.5),
        ("max_frames_per_second", float("nan")),
        ("max_image_side", 0),
        ("status_poll_seconds", 0),
        ("max_image_side", 2.5),
        ("task", "detektion"),
        ("labels", "pill"),
        ("labels", 5),
        ("collapse", True),
        ("on_drop", 5),
        ("before_send", "no"),
        ("dry_run", "no"),
        ("transport", object()),
        ("ca_bundle", "/nowhere/at/all.pem"),
    ],
)
def test_a_value_that_cannot_be_is_named(name, value):
    with pytest.raises(ValidationError, match=f"^{name} must be ") as caught:
        options.check({name: value})
    assert caught.value.field == name


@pytest.mark.parametrize("name", options.Options.__annotations__)
def test_an_option_may_be_none_as_if_it_were_not_given(name):
    options.check({name: None})


def test_an_option_that_is_none_of_ours_is_a_type_error():
    with pytest.raises(TypeError, match="unexpected keyword argument 'spooldir'"):
        options.check({"spooldir": "/tmp"})


@pytest.mark.parametrize(
    ("text", "is_on"), [("", False), ("0", False), ("no", False), ("1", True), ("TRUE", True), (" yes ", True)]
)
def test_a_switch_in_the_environment_says_yes_or_no(monkeypatch, text, is_on):
    monkeypatch.setenv("LOOKSWRONG_DISABLED", text)
    assert options.is_switched_on("LOOKSWRONG_DISABLED") is is_on
