"""What waits on disk, until the server has it. Here alone the SDK touches its files.

`spool` is the queue that the rest of the SDK sees. Below it: `segments` (whose are which) over `segment` (one file),
`eviction` (what goes when there is no room), `waiting` (images whose sample went ahead), `quarantine` (what was
refused), and `files`, the seam to the operating system. `command` shows all of it to a person.
"""

from feedback_sdk.spool.spool import Spool, SpoolFullError, state_folder

__all__ = ["Spool", "SpoolFullError", "state_folder"]
