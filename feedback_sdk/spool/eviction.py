"""What goes first from a spool that is too full. Pure but for the copying of what stays.

The order: samples that no user has spoken of, oldest first; then samples with their feedback, together; then feedback
whose sample is delivered. Never feedback before its prediction. (Images that only wait go before all of these.)
"""

from array import array
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from itertools import islice
from json import loads
from time import monotonic, sleep
from typing import NamedTuple, TypeAlias, TypeVar

from feedback_sdk.drops import Drop, DropReason
from feedback_sdk.spool.segment import Head, Kind, Segment
from feedback_sdk.spool.waiting import id_text

_FEEDBACK = int(Kind.FEEDBACK)
#: Samples chosen by name in one round: this bounds the memory, more of them take another round.
_ROUND = 50_000
_MASK = (1 << 22) - 1
#: The interpreter takes over by force after 5 ms only; an app's capture must not wait that long for an eviction.
_SLICE_SECONDS, _PAUSE_SECONDS = 0.001, 0.0003
_T = TypeVar("_T")

#: Each record not done yet, oldest first, and whether its segment may be rewritten now.
Scan: TypeAlias = Callable[[], Iterable[tuple[Head, bool]]]
Goes: TypeAlias = Callable[[Head], bool]


class IdFilter:
    """A set of ids in 4 MiB, however many: "no" is sure, "yes" is not quite (B. Bloom, CACM 13:7, 1970).

    >>> bytes(16) in IdFilter([bytes(16)]), bytes(16) in IdFilter([])
    (True, False)
    """

    def __init__(self, ids: Iterable[bytes]) -> None:
        self._slots = bytearray(_MASK + 1)
        for sample_id in ids:
            self.add(sample_id)

    def add(self, sample_id: bytes) -> None:
        """Take an id in."""
        key = hash(sample_id)
        self._slots[key & _MASK] = self._slots[key >> 24 & _MASK] = 1

    def __contains__(self, sample_id: bytes) -> bool:
        key = hash(sample_id)
        return bool(self._slots[key & _MASK] and self._slots[key >> 24 & _MASK])


class Need:
    """How many bytes must still come free."""

    def __init__(self, size: int) -> None:
        self.size = size

    def take(self, head: Head) -> bool:
        """Let a record go if that is still needed."""
        if self.size <= 0:
            return False
        self.size -= head.end - head.start
        return True


def rounds(scan: Scan, need: Need) -> Iterator[Goes]:
    """Yield, one after the other, what says of each record whether it goes; the caller obeys before it asks on.

    Records are shown to it oldest first. Once `need` is met there is no need to show it more.
    """
    spoken_of, samples = IdFilter(()), IdFilter(())
    for head, _ in scan():
        (spoken_of if head.kind == _FEEDBACK else samples).add(head.sample_id)
    yield lambda head: head.kind != _FEEDBACK and head.sample_id not in spoken_of and need.take(head)
    while need.size > 0 and (chosen := _oldest_spoken_of(scan, need.size)):
        yield _goes_by_name(chosen)
        need.size -= sum(chosen.values())  # not before: a sample and its feedback go together
    if need.size > 0:
        yield lambda head: head.kind == _FEEDBACK and head.sample_id not in samples and need.take(head)


def _goes_by_name(chosen: Container[bytes]) -> Goes:
    return lambda head: head.sample_id in chosen


def _oldest_spoken_of(scan: Scan, need_bytes: int) -> dict[bytes, int]:
    """Choose the oldest samples that free enough together with their feedback, none of it in a segment at work.

    The values are the bytes that each frees.
    """
    candidates = (head for head, is_free in scan() if is_free and head.kind != _FEEDBACK)
    sizes = {head.sample_id: head.end - head.start for head in islice(candidates, _ROUND)}
    for head, is_free in scan() if sizes else ():
        if head.kind == _FEEDBACK and head.sample_id in sizes:
            if is_free:
                sizes[head.sample_id] += head.end - head.start
            else:
                del sizes[head.sample_id]
    enough = count_until(sizes.values(), need_bytes)
    return dict(islice(sizes.items(), enough))


def count_until(sizes: Iterable[int], need_bytes: int) -> int:
    """Return how many of the sizes make up what is needed, or all.

    >>> count_until([3, 3, 3], 4), count_until([3, 3], 99), count_until([], 1)
    (2, 2, 0)
    """
    number = 0
    for size in sizes:
        if need_bytes <= 0:
            break
        need_bytes -= size
        number += 1
    return number


class Pace:
    """Leaves the interpreter to the app's threads, again and again, while a long work goes on."""

    def __init__(self, is_over: Callable[[], bool]) -> None:
        self._is_over = is_over
        self._until = monotonic() + _SLICE_SECONDS

    def step(self) -> None:
        """Pause where it is time to."""
        if monotonic() >= self._until:
            sleep(_PAUSE_SECONDS)
            self._until = monotonic() + _SLICE_SECONDS

    def through(self, items: Iterable[_T]) -> Iterator[_T]:
        """Yield the items with pauses between them, until all is over."""
        for number, item in enumerate(items):
            if not number & 31:
                self.step()
                if self._is_over():
                    return
            yield item


class Split(NamedTuple):
    """The records of a segment, parted into runs that stay and records that go."""

    #: start, end, start, end, … of what stays, neighbours as one
    runs: "array[int]"
    #: the ids of the samples that go, 16 bytes each: a list of them would cost what the spool saves
    samples: bytearray
    #: the ids of the feedback that goes
    feedback: Sequence[str | None]

    @property
    def has_gone(self) -> bool:
        """Return whether anything goes at all."""
        return bool(self.samples or self.feedback)

    def fill(self, copy: Segment, *, source: Segment, pace: Pace) -> None:
        """Copy what stays."""
        for start, end in zip(self.runs[::2], self.runs[1::2], strict=True):
            copy.copy(source, start, end)
            pace.step()

    def drops(self) -> Iterator[Drop]:
        """Yield what to tell the app of each record that went."""
        samples = (id_text(self.samples[at : at + 16]) for at in range(0, len(self.samples), 16))
        for kind, ids in (("sample", samples), ("feedback", iter(self.feedback))):
            for own_id in ids:
                yield Drop(reason=DropReason.EVICTED, message=f"a {kind} made room for later captures", id=own_id)


def split(segment: Segment, *, heads: Iterable[Head], goes: Goes) -> Split:
    """Part the records of a segment."""
    runs, samples, feedback = array("Q"), bytearray(), []
    for head in heads:
        if not goes(head):
            if runs and runs[-1] == head.start:
                runs[-1] = head.end
            else:
                runs.extend((head.start, head.end))
        elif head.kind == _FEEDBACK:
            feedback.append(feedback_id(segment.text_of(head)))
        else:
            samples += head.sample_id
    return Split(runs=runs, samples=samples, feedback=feedback)


def feedback_id(text: bytes) -> str | None:
    """Return the id of a feedback by its JSON.

    >>> feedback_id(b'{"id":"7"}'), feedback_id(b"torn")
    ('7', None)
    """
    try:
        found = loads(text).get("id")
    except (ValueError, AttributeError):
        return None
    return found if isinstance(found, str) else None
