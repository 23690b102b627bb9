"""What other keys of a server left unsent is seen from beside, and nothing is taken."""

import pytest

from feedback_sdk.spool import Spool, state_folder
from feedback_sdk.spool.neighbours import neighbours
from feedback_sdk.spool.segment import Kind
from tests.sdk.disks import DISKS


@pytest.fixture(params=DISKS)
def disk(request, monkeypatch):
    DISKS[request.param](monkeypatch)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return state_folder(url="http://a", kid="k1")


@pytest.fixture
def open_spool():
    """Open the spool of a server and key with one record in it."""
    opened = []

    def open_spool(kid: str, *, url: str = "http://a") -> Spool:
        folder = state_folder(url=url, kid=kid)
        opened.append(Spool(folder, max_bytes=1 << 20, max_age_seconds=3600.0, on_drop=lambda _: None))
        opened[-1].append(Kind.SAMPLE, bytes(16), b"{}")
        return opened[-1]

    yield open_spool
    for spool in opened:
        spool.close()


def test_nobody_is_a_neighbour_at_first(folder, tmp_path):
    assert neighbours(folder) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("disk")
def test_what_an_ended_app_left_under_another_key_is_a_neighbour(folder, open_spool):
    left = open_spool("k2")
    left.close()
    assert neighbours(folder) == [left.folder]
    assert left.adopt() == 1  # the look took nothing


@pytest.mark.usefixtures("disk")
def test_a_running_app_is_none_and_its_folder_is_left_alone(folder, open_spool):
    open_spool("k2").close()
    living = open_spool("k2")
    assert neighbours(folder) == []
    assert living.adopt() == 1


def test_what_is_sent_is_none(folder, open_spool):
    spool = open_spool("k2")
    spool.done(spool.next())
    spool.close()
    assert neighbours(folder) == []


def test_the_folder_itself_and_other_servers_are_none(folder, open_spool):
    open_spool("k1").close()
    open_spool("k2", url="http://b").close()
    assert neighbours(folder) == []


@pytest.mark.parametrize("name", ["spool", "dry-run", "0123456789abcdef"])
def test_a_folder_of_the_apps_own_choice_has_none(folder, open_spool, name):
    open_spool("k2").close()
    assert neighbours(folder.parent / name) == []


def test_what_cannot_be_read_is_none(folder):
    beside = folder.parent / f"{folder.name}-2"
    (beside / "1.spool").mkdir(parents=True)
    (folder.parent / f"{folder.name}-3").write_text("a file")
    assert neighbours(folder) == []
