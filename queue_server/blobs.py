"""Image bytes, content-addressed in any object store: a local folder, S3, Google Cloud, Azure."""

import hashlib

import obstore
from obstore.exceptions import BaseError as StoreError
from obstore.store import ObjectStore, from_url

from queue_server.errors import BlobError, SettingsError


class Blobs:
    """A store of immutable bytes, named by their SHA-256 in 256 folders."""

    def __init__(self, url: str) -> None:
        try:
            if url.startswith("file:"):
                self._store: ObjectStore = from_url(url, mkdir=True)
            else:
                self._store = from_url(url)
        except StoreError as error:
            raise SettingsError(f"LOOKSWRONG_BLOB_URL must name an object store that opens: {error}") from error

    def put(self, content: bytes) -> str:
        """Store bytes and return their SHA-256 in hex, or raise BlobError; the same bytes again change nothing."""
        name = hashlib.sha256(content).hexdigest()
        try:
            obstore.put(self._store, _path(name), content)
        except (StoreError, OSError) as error:
            raise BlobError(f"the image store must take {len(content)} bytes: {error}") from error
        return name

    def get(self, sha256: str) -> bytes:
        """Return the bytes of that name, or raise BlobError."""
        try:
            return bytes(obstore.get(self._store, _path(sha256)).bytes())
        except (StoreError, OSError) as error:
            raise BlobError(f"the image store must give back {sha256}: {error}") from error

    def check(self) -> None:
        """Make the store take and give back a few bytes, or raise BlobError."""
        probe = b"looks wrong: the store works\n"
        self.get(self.put(probe))


def _path(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256}"
