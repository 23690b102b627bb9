"""What ours must hold to; a figure without a target is told, not judged."""

from collections.abc import Mapping

from benchmarks.client_sdks.figures import Target


def _at_most(bound: float) -> Target:
    return Target(sign="<=", bound=bound)


def _exactly(bound: float) -> Target:
    return Target(sign="==", bound=bound)


TARGETS: Mapping[str, Mapping[str, Target]] = {
    "capture": {
        "tight: p50 us": _at_most(10),
        "tight: p99 us": _at_most(50),
        "2 ms apart, 200 kB image: p50 us": _at_most(250),
    },
    "start": {"package alone ms": _at_most(20), "distributions": _exactly(1), "installed MB": _at_most(1)},
    "memory": {"grown MB": _at_most(5), "raised": _exactly(0), "log lines": _at_most(3)},
    "outage": {"20 s: arrived": _exactly(2000), "180 s: arrived": _exactly(2000)},
    "sigkill": {"arrived": _exactly(200)},
    "crash": {"acknowledged and missing": _exactly(0), "altered": _exactly(0), "conflicts": _exactly(0)},
    "disk": {"accepted and missing": _exactly(0), "altered": _exactly(0), "arrived and not accepted": _exactly(0)},
    # the client's own budget is 0.5 s; the interpreter's end comes on top
    "exit": {f"{mode}: s": _at_most(0.6) for mode in ("refuse", "hang", "slow", "500", "429")},
    "fork": {"arrived": _exactly(100), "parent's arrived": _exactly(50), "parent's repeats": _exactly(0)},
    "late": {
        "stored": _exactly(50),
        "conflicts": _exactly(0),
        "real server: stored": _exactly(50),
        "real server: most of one": _exactly(1),
    },
    "block": {
        f"{mode}: {figure}": bound
        for mode in ("refuse", "hang", "slow", "500", "429", "backlog")
        for figure, bound in (("p999 us", _at_most(5000)), ("raised", _exactly(0)))
    },
    "upload": {"when_wanted: share": _at_most(0.05), "when_wanted: images": _exactly(3)},
}

#: How many times a peer's median ours may be: one machine's microseconds say little, side by side they do.
RATIOS: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "capture": {"2 ms apart: p50 us": {"langfuse": 1.5, "sentry": 0.25}},
}
