"""Slow jobs take turns, so that figures keep no sample from annotators."""

from pathlib import Path

from queue_server.worker import slow_turn


def test_one_slow_job_at_a_time_has_the_turn(tmp_path: Path) -> None:
    with slow_turn(tmp_path / "data") as first, slow_turn(tmp_path / "data") as second:
        assert (first, second) == (True, False)


def test_turn_is_free_when_its_job_ends(tmp_path: Path) -> None:
    with slow_turn(tmp_path):
        pass
    with slow_turn(tmp_path) as is_ours:
        assert is_ours
