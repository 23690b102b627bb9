"""Let cleanvision look at files, in the interpreter that has it; prints JSON, and knows nothing of this project.

python cleanvision_run.py < '{"files": [...], "rounds": 3}'
"""

import contextlib
import io
import json
import logging
import sys
import time
import warnings
from importlib.metadata import version


def main() -> None:
    """Read what to do from standard input, and say what was found, and how long it took."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    from cleanvision import Imagelab  # type: ignore[import-not-found]  # in an environment of its own

    wanted = json.load(sys.stdin)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        lab = Imagelab(filepaths=wanted["files"])
        begin = time.process_time()
        lab.find_issues(n_jobs=1, verbose=False)
        seconds = time.process_time() - begin
    issues = lab.issues
    columns = [name for name in issues.columns if name.startswith("is_")]
    flags = {
        file: [name.removeprefix("is_").removesuffix("_issue") for name in columns if issues.loc[file, name]]
        for file in issues.index
    }
    json.dump({"version": version("cleanvision"), "seconds": seconds, "flags": flags}, sys.stdout)


if __name__ == "__main__":
    main()
