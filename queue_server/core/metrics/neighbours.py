"""What embeddings say of samples: how new each is, which to take for variety, whether its label fits those around it.

All by the cosine between vectors: their lengths say nothing.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

#: nearer than this is the same picture, nearer than that nearly
DUPLICATE, NEAR_DUPLICATE = 1e-5, 0.03
#: of so many neighbours the label is asked
LABEL_NEIGHBOURS = 9

_BLOCK = 512
_ROUNDS = 20
_MOST_CLUSTERS = 50
Vectors = NDArray[np.float32]


def novelty(vectors: Vectors) -> NDArray[np.float64]:
    """Return for each of the vectors (n, d) the cosine distance in [0, 2] to the nearest other one; 0 for a duplicate.

    Encord Active's singularity. NaN where there is no other.

    >>> novelty(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]], np.float32)).tolist()
    [0.0, 0.0, 1.0]
    """
    found = np.full(len(vectors), np.nan)
    if len(vectors) < 2:
        return found
    for start, cosines in _blocks(_units(vectors)):
        nearest = 1.0 - cosines.max(axis=1).astype(np.float64)
        found[start : start + len(cosines)] = np.where(nearest < DUPLICATE, 0.0, np.round(nearest, 6))
    return found


def label_quality(
    vectors: Vectors, labels: Sequence[str], *, neighbours: int = LABEL_NEIGHBOURS
) -> NDArray[np.float64]:
    """Return for each of the vectors (n, d) the share of its nearest ones that have the same label.

    Encord Active's annotation quality: low where a label does not fit. NaN where there is no other vector.

    >>> label_quality(np.eye(2, dtype=np.float32), ["cat", "dog"]).tolist()
    [0.0, 0.0]
    """
    found = np.full(len(vectors), np.nan)
    count = min(neighbours, len(vectors) - 1)
    if count < 1:
        return found
    codes = np.unique(np.asarray(labels), return_inverse=True)[1]
    for start, cosines in _blocks(_units(vectors)):
        nearest = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        own = codes[start : start + len(cosines), None]
        found[start : start + len(cosines)] = (codes[nearest] == own).mean(axis=1)
    return found


def diversity(vectors: Vectors) -> NDArray[np.float64]:
    """Return for each of the vectors (n, d) how early it comes in a varied choice: 1 the first, near 0 the last.

    Clusters by k-means (k: the root of n, at most 50), then one of each in turn, those nearest to their centre first
    (Encord Active). Always the same for the same vectors.

    >>> diversity(np.array([[1.0, 0.0], [1.0, 0.01], [0.0, 1.0]], np.float32)).tolist()[2]
    1.0
    """
    if not len(vectors):
        return np.zeros(0)
    units = _units(vectors)
    cluster, distance = _clusters(units, min(_MOST_CLUSTERS, max(1, round(len(vectors) ** 0.5))))
    turn = np.zeros(len(vectors), np.int64)
    for index in np.unique(cluster):
        members = np.flatnonzero(cluster == index)
        turn[members[np.argsort(distance[members], kind="stable")]] = np.arange(len(members))
    order = np.lexsort((distance, turn))
    found = np.empty(len(vectors))
    found[order] = 1.0 - np.arange(len(vectors)) / len(vectors)
    return found


def _units(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0))


def _blocks(units: Vectors) -> Iterator[tuple[int, Vectors]]:
    """Yield the cosines of some vectors to all, so that memory stays bounded; to itself a vector has none."""
    for start in range(0, len(units), _BLOCK):
        cosines = units[start : start + _BLOCK] @ units.T
        rows = np.arange(len(cosines))
        cosines[rows, start + rows] = -np.inf
        yield start, cosines


def _clusters(units: Vectors, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return each vector's cluster and its distance to that one's centre.

    Lloyd 1982, "Least squares quantization in PCM", from centres that lie far apart: each next one is the vector
    farthest from those before.
    """
    centres = units[:1]
    nearest = units @ centres[0]
    for _ in range(count - 1):
        centres = np.concatenate([centres, units[[int(nearest.argmin())]]])
        nearest = np.maximum(nearest, units @ centres[-1])
    cluster = np.zeros(len(units), np.int64)
    for _ in range(_ROUNDS):
        chosen = (units @ centres.T).argmax(axis=1)
        if (chosen == cluster).all() and _ > 0:
            break
        cluster = chosen
        members = [units[cluster == index] for index in range(len(centres))]
        means = [part.mean(axis=0) if len(part) else centres[index] for index, part in enumerate(members)]
        centres = _units(np.array(means, np.float32))
    cosines = np.einsum("ij,ij->i", units, centres[cluster]).astype(np.float64)
    return cluster, np.round(1.0 - cosines, 6)
