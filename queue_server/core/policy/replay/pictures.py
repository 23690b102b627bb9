"""Which pictures a replay queued already: by their bytes, and by their perceptual hash."""

from collections import OrderedDict, deque
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from queue_server.core.policy.replay.stored import Stored
from queue_server.core.policy.rules import NearDuplicates, Policy
from queue_server.core.policy.states import Twin

#: as many as the server compares
_COMPARED = 5000
#: pictures of equal bytes further back than so many queued ones are taken for new
_REMEMBERED = 100_000
_NOTHING_LIKE_IT = 64


class QueuedPictures:
    """The last pictures that were queued; memory is bounded."""

    def __init__(self, policy: Policy) -> None:
        self._near = policy.near_duplicates
        spans = [rule.parameters["span"] for rule in policy.rules if "novelty_bits" in rule.kind.needs]
        self._novelty_span = max((span for span in spans if isinstance(span, float)), default=None)
        self._contents: OrderedDict[str, Twin] = OrderedDict()
        self._hashes = np.zeros(_COMPARED, np.uint64)
        self._times = np.zeros(_COMPARED, np.float64)
        self._twins: deque[tuple[Twin, str | None]] = deque(maxlen=_COMPARED)
        self._count = 0

    @property
    def compares_hashes(self) -> bool:
        """Tell whether the policy looks at perceptual hashes at all."""
        return self._near is not None or self._novelty_span is not None

    def add(self, stored: Stored, at: datetime) -> None:
        """Remember a picture that was queued then."""
        twin = Twin(key=stored.key, sample_id=stored.candidate.sample_id, is_exact=True)
        if stored.image_sha256 is not None and stored.image_sha256 not in self._contents:
            self._contents[stored.image_sha256] = twin
            if len(self._contents) > _REMEMBERED:
                self._contents.popitem(last=False)
        if stored.perceptual_hash is not None and self.compares_hashes:
            place = self._count % _COMPARED
            self._hashes[place] = stored.perceptual_hash & 0xFFFF_FFFF_FFFF_FFFF
            self._times[place] = at.timestamp()
            self._twins.append((twin, stored.candidate.stream))
            self._count += 1

    def twin(self, stored: Stored, at: datetime) -> Twin | None:
        """Return the queued sample of the same picture; equal bytes come first."""
        found = self._contents.get(stored.image_sha256 or "")
        if found is not None and found.key != stored.key:
            return found
        return self._near_twin(stored, self._near, at) if self._near is not None else None

    def novelty_bits(self, stored: Stored) -> int | None:
        """Return the bits to the nearest hash that was queued before it came; None: no image, or nobody asks."""
        if stored.perceptual_hash is None or self._novelty_span is None:
            return None
        since = (stored.received_at - timedelta(seconds=self._novelty_span)).timestamp()
        known = min(self._count, _COMPARED)
        bits = self._bits(stored.perceptual_hash)[self._times[:known] >= since]
        return int(bits.min()) if bits.size else _NOTHING_LIKE_IT

    def _bits(self, perceptual_hash: int) -> NDArray[np.uint8]:
        known = self._hashes[: min(self._count, _COMPARED)]
        return np.asarray(np.bitwise_count(known ^ np.uint64(perceptual_hash & 0xFFFF_FFFF_FFFF_FFFF)))

    def _near_twin(self, stored: Stored, near: NearDuplicates, at: datetime) -> Twin | None:
        if stored.perceptual_hash is None or not self._count:
            return None
        bits = self._bits(stored.perceptual_hash)
        since = (at - timedelta(seconds=near.span_seconds)).timestamp()
        close = np.flatnonzero((bits <= near.distance) & (self._times[: bits.size] >= since))
        oldest = self._count % _COMPARED if self._count > _COMPARED else 0
        for place in sorted(close.tolist(), key=lambda place: int(bits[place])):
            twin, stream = self._twins[(place - oldest) % _COMPARED]
            if twin.key != stored.key and (not near.is_same_stream or stream == stored.candidate.stream):
                return Twin(key=twin.key, sample_id=twin.sample_id, is_exact=False)
        return None
