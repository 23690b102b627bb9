"""The photos that the app offers, each drawn or read once."""

import io
from dataclasses import dataclass, field
from threading import Lock
from typing import Self

from PIL import Image

from examples.pill_counter import photos
from examples.pill_counter.photos import Album, open_image

_SHOWN = 12
_THUMBNAIL = (320, 240)


@dataclass(frozen=True, kw_only=True, slots=True)
class Gallery:
    """A handful of photos by name; safe for threads."""

    albums: tuple[Album, ...]
    _images: dict[str, bytes] = field(default_factory=dict)
    _thumbnails: dict[str, bytes] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @classmethod
    def open(cls, album: Album | None) -> Self:
        """Return twelve photos spread over a folder; without one eleven drawn trays and the photo of coins."""
        if album is None:
            return cls(albums=(photos.drawn_trays(photos.GALLERY_SEED, number=_SHOWN - 1), photos.coins()))
        step = max(len(album.names) // _SHOWN, 1)
        return cls(albums=(Album(names=album.names[::step][:_SHOWN], read=album.read),))

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the order shown."""
        return tuple(name for album in self.albums for name in album.names)

    def read(self, name: str) -> bytes:
        """Return the image file of one of the names."""
        with self._lock:
            if name not in self._images:
                album = next(album for album in self.albums if name in album.names)
                self._images[name] = album.read(name).image_bytes
            return self._images[name]

    def thumbnail(self, name: str) -> bytes:
        """Return a small JPEG of one of the names."""
        if name not in self._thumbnails:
            image = open_image(self.read(name))
            image.thumbnail(_THUMBNAIL, Image.Resampling.LANCZOS)
            file = io.BytesIO()
            image.save(file, "JPEG", quality=80)
            self._thumbnails[name] = file.getvalue()
        return self._thumbnails[name]
