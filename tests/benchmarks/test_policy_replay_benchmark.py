"""The benchmark of replays measures what it says: every case looks at the samples that were stored."""

from pathlib import Path

import pytest

from benchmarks.policy_bench import replay


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stored")
    replay.fill(folder, 300)
    return folder


@pytest.mark.parametrize("case", replay.CASES)
def test_every_case_replays_all_that_was_stored(filled: Path, case: str) -> None:
    found = replay._replay(str(filled), case, 300)
    assert found["samples"] == 300
    assert 0 < found["queued"] < 300
    assert found["peak_mb"] > 0
