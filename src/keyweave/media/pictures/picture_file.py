"""An untrusted picture file: read by position, opened by one Pillow plugin, its faults put into one sentence each."""

from __future__ import annotations

import io
import os
import threading
import warnings
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import PIL.Image
from PIL import features

from keyweave.base.errors import InputError, KeyweaveError, MediaError
from keyweave.base.files import explain
from keyweave.media.sniff import PICTURES, Kind, sniff

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keyweave.media.limits import Limits

# Pillow reads these formats into memory as they are, however few pixels they hold.
_READ_WHOLE = ("webp", "avif")
_MOST_READ_WHOLE = 1 << 30
_COPY_AGAIN = "Copy or download it again."
_TAIL_BYTES = 1 << 16


class Broken(MediaError):
    """A file that is cut off or damaged; what comes before may be whole."""


class PictureFile:
    """A picture file held open.

    Args:
        path: what to open; a video or a sound is refused, whatever it is called.
        limits: checked here for the file's size, and by `check_size` for pixels.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path = path
        self.limits = limits
        self.kind = _picture_kind(path)
        try:
            self.stream: IO[bytes] = path.open("rb")
            self.size = os.fstat(self.stream.fileno()).st_size
        except OSError as fault:
            raise explain(fault, path, "read") from fault
        try:
            limits.check(str(path), "file_bytes", self.size)
        except MediaError:
            self.close()
            raise

    def close(self) -> None:
        """Let the file go."""
        self.stream.close()

    def __enter__(self) -> PictureFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, at: int, count: int) -> bytes:
        """Read exactly `count` bytes from position `at`."""
        self.need(at + count)
        try:
            self.stream.seek(at)
            data = self.stream.read(count)
        except OSError as fault:
            raise explain(fault, self.path, "read") from fault
        if len(data) < count:  # the file shrank while we read it
            raise self.cut_off()
        return data

    def need(self, end: int) -> None:
        """Refuse the file if it has fewer than `end` bytes."""
        if end > self.size:
            raise self.cut_off(end)

    def cut_off(self, end: int | None = None) -> Broken:
        """Describe a file that ends too early, by the size it should have where that is known."""
        if end is None:
            return Broken(f"{self.path} is cut off after {self.size:,} bytes: its end is missing.", _COPY_AGAIN)
        return Broken(f"{self.path} is cut off: {self.size:,} of at least {end:,} bytes are there.", _COPY_AGAIN)

    def damaged(self, where: str = "") -> Broken:
        """Describe a file whose content makes no sense."""
        return Broken(
            f"{self.path} cannot be read{where}: it is damaged, or of a kind of {self._form} that is not supported.",
            "Copy or download it again, or save it as a plain PNG.",
        )

    def check_size(self, width: int, height: int) -> None:
        """Refuse more pixels than the limits allow."""
        self.limits.check(str(self.path), "pixels", width * height)

    @contextmanager
    def pillow(self, data: bytes | None = None, where: str = "") -> Iterator[PIL.Image.Image]:
        """Open the file, or `data` of the same format, with the one Pillow plugin that it is for.

        The size is checked before the block begins. Whatever Pillow raises inside the block comes out as one sentence.
        """
        with self.faults(where), self.open(data) as picture:
            yield picture

    def open(self, data: bytes | None = None) -> PIL.Image.Image:
        """Open like `pillow`, for callers that mind the faults themselves."""
        name = self.kind.name
        if data is None and name in _READ_WHOLE and self.size > _MOST_READ_WHOLE:
            raise MediaError(
                f"{self.path} has {self.size:,} bytes; of a {self._form}, at most {_MOST_READ_WHOLE:,} are read.",
                "Save it as a PNG, or as a video.",
            )
        picture = PIL.Image.open(self.stream if data is None else io.BytesIO(data), formats=[name])
        self.check_size(*picture.size)
        return picture

    @contextmanager
    def faults(self, where: str = "") -> Iterator[None]:
        """Put whatever Pillow raises inside the block into one sentence, and keep its warnings quiet."""
        try:
            with _quiet():
                yield
        except KeyweaveError:
            raise
        except MemoryError as fault:
            raise MediaError(f"{self.path} does not fit into memory.", "Scale it down first.") from fault
        except PIL.Image.DecompressionBombError as fault:
            most = 2 * (PIL.Image.MAX_IMAGE_PIXELS or 0)
            raise MediaError(
                f"{self.path} has too many pixels for Pillow, which decodes at most {most:,}.", "Scale it down first."
            ) from fault
        except Exception as fault:
            # On damaged files Pillow raises nearly anything, from SyntaxError to struct.error.
            raise self._explain(fault, where) from fault

    @property
    def _form(self) -> str:
        return "WebP" if self.kind.name == "webp" else self.kind.name.upper()

    def _explain(self, fault: Exception, where: str) -> MediaError:
        name = self.kind.name
        if isinstance(fault, OSError) and fault.errno:
            return explain(fault, self.path, "read")
        if name in _READ_WHOLE and not features.check(name):
            return MediaError(f"{self.path} is {self._form}, which this build of Pillow lacks.", "Save it as a PNG.")
        if name == "jpeg" and self._lacks_jpeg_end():
            return self.cut_off()
        return self.damaged(where)

    def _lacks_jpeg_end(self) -> bool:
        # A JPEG states no size; only its end mark tells a cut-off file from a damaged one.
        tail = min(self.size, _TAIL_BYTES)
        return b"\xff\xd9" not in self.read(self.size - tail, tail)


def _picture_kind(path: Path) -> Kind:
    kind = sniff(path)
    if kind.family == "film":
        raise InputError(
            f"{path} is a video; a picture is needed.",
            f"Take a frame out of it first: `ffmpeg -ss 1.5 -i {path.name} -frames:v 1 frame.png`.",
        )
    if kind.family == "sound":
        raise InputError(f"{path} is a sound file; a picture is needed.", f"Pictures: {PICTURES}.")
    return kind


class _Quiet:
    """Silences Pillow's warnings while any thread is inside.

    What they warn of (size, odd tags) is checked here by stricter means. `warnings.catch_warnings` alone would leave
    the process silenced for good when two threads leave in the wrong order, hence the count.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._filters: warnings.catch_warnings[None] | None = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if self._inside == 0:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0 and self._filters:
                    self._filters.__exit__(None, None, None)


_quiet = _Quiet()
