"""Measure an image's metrics: images a second on one core, and whether flags are cleanvision's; print JSON.

    python benchmarks/image_metrics.py --json figures.json --cleanvision .venv-cleanvision/bin/python
    python benchmarks/image_metrics.py --json - --photos 3 --mixed 9

Progress goes to standard error; benchmarks/README.md says what the figures mean.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).absolute().parents[1]))
# One core: threads of the linear algebra would count as more.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

from benchmarks.image_metrics_bench import ours, pictures

_THEIRS = Path(__file__).parent / "image_metrics_bench" / "cleanvision_run.py"
SIZES: Mapping[str, tuple[int, int]] = {"1 MP": (1155, 866), "12 MP": (4000, 3000)}
TARGETS = {"1 MP": 12.0, "12 MP": 20.0}
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}

#: of flags and of seconds, as `cleanvision_run.py` says them
Theirs = dict[str, Any]


def main() -> int:
    """Run the benchmark; what does not hold stands in the figures."""
    given = _arguments()
    report: dict[str, object] = {
        "benchmark": "image_metrics",
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "load_at_start": round(os.getloadavg()[0], 2),
        },
    }
    with tempfile.TemporaryDirectory() as folder:
        report["speed"] = {name: _speed(name, Path(folder), given) for name in SIZES}
        files = pictures.mixed(Path(folder) / "mixed", count=given.mixed) + _found(given.data)
        report["flags"] = _agreement(files, given)
    text = json.dumps(report, indent=2) + "\n"
    if given.json == "-":
        sys.stdout.write(text)
    else:
        Path(given.json).write_text(text)
    return 0


def _speed(name: str, folder: Path, given: argparse.Namespace) -> dict[str, object]:
    """Return images a second of processor time, ours and theirs taking turns: the best round of each."""
    width, height = SIZES[name]
    _progress(f"{name}: {given.photos} photos, {given.rounds} rounds")
    files = pictures.photos(folder / name, count=given.photos, width=width, height=height)
    own, theirs = [], []
    for _ in range(given.rounds):
        own.append(ours.seconds(files))
        if given.cleanvision:
            theirs.append(_theirs(files, given)["seconds"])
    found: dict[str, object] = {"images_per_second": round(len(files) / min(own), 1), "target": f">= {TARGETS[name]}x"}
    if theirs:
        found["cleanvision_images_per_second"] = round(len(files) / min(theirs), 2)
        found["times_cleanvision"] = round(min(theirs) / min(own), 1)
    return found


def _agreement(files: Sequence[Path], given: argparse.Namespace) -> dict[str, object]:
    """Return how many files have each flag, ours and theirs, and on how many they differ."""
    _progress(f"flags: {len(files)} files")
    own = ours.flags(files)
    counts = Counter(flag for flags in own.values() for flag in flags)
    if not given.cleanvision:
        return {"files": len(files), "flagged": dict(counts)}
    said = _theirs(files, given)
    theirs: dict[str, list[str]] = said["flags"]
    differing = {
        name: sorted(Path(file).name for file in own if (name in own[file]) != (name in theirs[file]))
        for name in (*ours.NAMES, "exact_duplicates", "near_duplicates")
    }
    return {
        "cleanvision": said["version"],
        "files": len(files),
        "flagged": dict(counts),
        "flagged_by_cleanvision": dict(Counter(flag for flags in theirs.values() for flag in flags)),
        "disagreements": sum(map(len, differing.values())),
        "differing": {name: which for name, which in differing.items() if which},
        "target": "0 disagreements",
    }


def _theirs(files: Sequence[Path], given: argparse.Namespace) -> Theirs:
    wanted = json.dumps({"files": [str(file) for file in files]})
    command = [given.cleanvision, str(_THEIRS)]
    ran = subprocess.run(command, input=wanted, capture_output=True, text=True, check=True)
    said: Theirs = json.loads(ran.stdout)
    return said


def _found(folder: Path | None) -> list[Path]:
    """Return the pictures below a folder that both can read."""
    if folder is None:
        return []
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in _SUFFIXES)
    return [file for file in files if ours.is_taken(file)]


def _progress(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", required=True, metavar="FILE", help="where the figures go; -: standard output")
    parser.add_argument("--cleanvision", metavar="PYTHON", help="an interpreter that has cleanvision; else ours alone")
    parser.add_argument("--photos", type=_positive, default=12, metavar="N", help="photos of each size")
    parser.add_argument("--rounds", type=_positive, default=5, metavar="N", help="of which the best counts")
    parser.add_argument("--mixed", type=_positive, default=90, metavar="N", help="pictures that are made for the flags")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="pictures to compare flags on, too")
    return parser.parse_args()


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
