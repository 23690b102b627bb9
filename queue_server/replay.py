"""Run policies over a project's stored history: what each would have queued, at which cost, and what it would see."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from feedback_sdk.types import Task
from queue_server import models
from queue_server.backend import Backend
from queue_server.core.policy import Policy
from queue_server.core.policy.reading import PolicyText
from queue_server.core.policy.replay import Replay, Replayed, Stored
from queue_server.store import figures, history, projects
from queue_server.store.engine import reading
from queue_server.store.history import Place, Stretch

MOST_SAMPLES = 1_000_000
USUAL_SAMPLES = 20_000
_PAGE = 2000
#: how far before a stretch thresholds are taken from the traffic, and from how many samples at most
_LOOK_BACK = timedelta(days=7)
_LOOK_BACK_SAMPLES = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposed:
    """A policy as a file says it."""

    text: PolicyText
    confirmation_window_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """Which samples to look at: of these times, the last so many."""

    since: datetime | None = None
    until: datetime | None = None
    limit: int = USUAL_SAMPLES


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What each policy would have made of the same samples."""

    #: in the order of the policies
    replayed: tuple[Replayed, ...]
    #: of the stretch, of which at most the limit were looked at
    samples_in_all: int
    #: for each policy, sample -> reason, where that was asked for
    queued: tuple[dict[int, str], ...] = ()

    @property
    def scale(self) -> float:
        """Return by what the figures are to be multiplied to stand for all samples of the stretch."""
        seen = self.replayed[0].samples
        return self.samples_in_all / seen if seen else 1.0


def current(backend: Backend, project: models.Project) -> Proposed | None:
    """Return the policy that a project has now; None: it has none yet."""
    if not project.policy_version:
        return None
    with reading(backend.engine) as session:
        row = projects.version_row(session, project, project.policy_version)
    return Proposed(text=projects.text_of(row), confirmation_window_seconds=row.confirmation_window_seconds)


def run(
    backend: Backend,
    project: models.Project,
    policies: Sequence[Proposed],
    *,
    span: Span | None = None,
    is_listing: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Run policies over the same stored samples, page by page; nothing is changed.

    `on_progress` is told how many samples were looked at, of how many. `is_listing` keeps which samples each queued.
    """
    span = span or Span()
    listed: list[dict[int, str]] = [{} for _ in policies]
    versions = [proposed.text.policy(version=project.policy_version + 1, salt=project.salt) for proposed in policies]
    with reading(backend.engine) as session:
        assert project.id is not None
        stretch = _stretch(project, span, versions)
        in_all = history.count(session, stretch)
        place = history.place_before_last(session, stretch, span.limit)
        lead_seconds = figures.lead_seconds(session, project.id)
    replays = [
        Replay(
            policy,
            window_seconds=proposed.confirmation_window_seconds,
            lead_seconds=lead_seconds,
            on_queued=kept.__setitem__ if is_listing else None,
        )
        for policy, proposed, kept in zip(versions, policies, listed, strict=True)
    ]
    _look_back(backend, stretch, place, replays)
    _take_all(backend, stretch, place, replays, total=min(in_all, span.limit), on_progress=on_progress)
    return Outcome(
        replayed=tuple(replay.finish() for replay in replays),
        samples_in_all=in_all,
        queued=tuple(listed) if is_listing else (),
    )


def _stretch(project: models.Project, span: Span, versions: Sequence[Policy]) -> Stretch:
    assert project.id is not None
    needs = frozenset().union(*(policy.needs for policy in versions))
    return Stretch(
        project_id=project.id,
        task=Task(project.task),
        since=span.since,
        until=span.until,
        with_shadows="shadows" in needs,
        with_images=any(map(_looks_at_images, versions)),
    )


def _looks_at_images(policy: Policy) -> bool:
    """Tell whether a policy asks for an image's quality or hash; a condition may ask for the first."""
    texts = [rule.where.text for rule in policy.rules if rule.where is not None]
    texts += [str(value) for rule in policy.rules for value in rule.parameters.values()]
    looks = policy.near_duplicates is not None or "novelty_bits" in policy.needs
    return (
        looks or any(rule.strategy == "quality" for rule in policy.rules) or any("quality." in text for text in texts)
    )


def _look_back(backend: Backend, stretch: Stretch, start: Place | None, replays: Sequence[Replay]) -> None:
    """Show what came before the stretch to the policies that take thresholds from the traffic."""
    looking = [replay for replay in replays if replay.looks_back]
    if not looking or (start is None and stretch.since is None):
        return
    before = history.before(stretch, start, span=_LOOK_BACK)
    with reading(backend.engine) as session:
        place = history.place_before_last(session, before, _LOOK_BACK_SAMPLES)
    for found in _pages(backend, before, place):
        for stored in found:
            for replay in looking:
                replay.observe(stored)


def _take_all(
    backend: Backend,
    stretch: Stretch,
    start: Place | None,
    replays: Sequence[Replay],
    *,
    total: int,
    on_progress: Callable[[int, int], None] | None,
) -> None:
    done = 0
    for found in _pages(backend, stretch, start):
        # What came while we looked is left out, or a busy server would never end.
        for stored in found[: total - done]:
            for replay in replays:
                replay.take(stored)
        done += len(found)
        if on_progress is not None:
            on_progress(min(done, total), total)
        if done >= total:
            return


def _pages(backend: Backend, stretch: Stretch, place: Place | None) -> Iterator[list[Stored]]:
    """Read page after page, each in a transaction of its own: a long one would keep SQLite's log from shrinking."""
    while True:
        with reading(backend.engine) as session:
            found, place = history.page(session, stretch, after=place, limit=_PAGE)
        yield found
        if place is None:
            return
