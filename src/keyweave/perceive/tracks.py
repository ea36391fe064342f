"""Tracks of dancers as files, so that any tracker can be used: plain arrays in an .npz, never a pickle.

Three kinds are read, and told apart by the names of their arrays. T is the number of frames; times are told by
`times` (T,) in seconds, rising, or by one number `fps`, frames per second.

Joints that were seen, as `JointTrack`:

| array | |
|---|---|
| `joints` | (J,) names, at least those of `poses.BODY` |
| `places` | (T, J, 2) x and y in pixels; NaN where the dancer was not found |
| `seen` | (T, J) from 0 to 1; if left out, 1 wherever there is a place |
| `world` | (T, J, 3) metres: right, up, towards the camera; may be left out |
| `size` | (2,) width and height of the frames; if left out, as far as the places reach |

Rotations, as bodies of the SMPL family (SMPL-X, GVHMR and others) are posed, as `RotationTrack`:

| array | |
|---|---|
| `body_pose` | (T, 63) or (T, 21, 3) axis times angle of each joint in its parent; of SMPL's 69 without hands |
| `global_orient` | (T, 3) axis times angle of the whole body |
| `transl` | (T, 3) metres |

The truth.npz of a dancer whom `keyweave toyworld export --cast dancer` drew, whose rate is in scene.json beside it.
"""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from keyweave.base.errors import InputError, MediaError
from keyweave.base.files import existing_file, explain, replacing
from keyweave.media.limits import Limits
from keyweave.perceive.poses import BODY, JointTrack, RotationTrack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.floating]
    Track = JointTrack | RotationTrack

ENDING = ".npz"
_TURNED = 21  # joints of a body of the SMPL family, without those of hands and face
_MOST_BYTES = 2**30  # of one array
_MOST_RATE = 1000
_DAMAGED = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, RuntimeError)
_KINDS = "An .npz of joints has joints and places; one of rotations has body_pose, global_orient and transl."
# The drawn dancer shows their face, and is named by the sides of the picture.
_DRAWN_ENDS = {"hand": "wrist", "foot": "ankle"}
_DRAWN_SIDES = {"left": "right", "right": "left"}


def write_track(path: Path, track: Track, *, overwrite: bool = False) -> None:
    """Write a track that `read_track` gives back.

    Args:
        path: a name that ends in .npz.
        track: joints or rotations.
        overwrite: whether a file of that name may be replaced.
    """
    if path.suffix != ENDING:
        raise InputError(f"{path} is no name for a track.", f"Let it end in {ENDING}.")
    if isinstance(track, JointTrack):
        arrays = {"joints": np.array(track.joints), "places": track.places, "seen": track.seen, "size": track.size}
        arrays |= {} if track.world is None else {"world": track.world}
    else:
        turns = track.rotations
        arrays = {"global_orient": turns[:, 0], "body_pose": turns[:, 1:], "transl": track.moved}
    with replacing(path, overwrite=overwrite) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, times=track.times, **arrays)


def read_track(path: Path) -> Track:
    """Read a track of joints or rotations.

    Raises:
        MediaError: the file is none of the kinds that the module tells of, or is damaged or too large.
    """
    file = _Arrays(existing_file(path))
    if "point_names" in file.shapes:
        return _drawn(file)
    if "body_pose" in file.shapes:
        return _rotations(file)
    if "joints" in file.shapes:
        return _joints(file)
    raise MediaError(f"{path} is no track: it has {', '.join(file.shapes) or 'no array'}.", _KINDS)


def _joints(file: _Arrays) -> JointTrack:
    names = file.names("joints")
    places = file.floats("places", (None, len(names), 2), unknown=True)
    rows = places.shape[:2]
    found = np.isfinite(places).all(axis=2)
    seen = file.floats("seen", rows) if "seen" in file.shapes else found.astype(float)
    if seen.min() < 0 or seen.max() > 1:
        raise file.fault("seen is not between 0 and 1")
    world = file.floats("world", (*rows, 3), unknown=True) if "world" in file.shapes else None
    if "size" in file.shapes:
        width, height = map(int, file.floats("size", (2,)))
    else:
        width, height = (math.ceil(np.nanmax(places[..., axis], initial=0)) + 1 for axis in (0, 1))
    if min(width, height) < 1:
        raise file.fault(f"its frames have the size {width}x{height}")
    return JointTrack(file.times(len(places)), names, places, np.where(found, seen, 0.0), (width, height), world)


def _rotations(file: _Arrays) -> RotationTrack:
    turns = file.floats("body_pose")
    rows = len(turns) if turns.ndim in (2, 3) else 1
    turns = turns.reshape(rows, -1)
    if turns.shape[1] not in (3 * _TURNED, 3 * (_TURNED + 2)):
        raise file.fault(f"body_pose has the shape {file.shapes['body_pose']} instead of (any, 63) or (any, 21, 3)")
    whole = file.floats("global_orient", (rows, 3))[:, None]
    rotations = np.concatenate([whole, turns.reshape(rows, -1, 3)[:, :_TURNED]], axis=1)
    return RotationTrack(file.times(rows), rotations, file.floats("transl", (rows, 3)))


def _drawn(file: _Arrays) -> JointTrack:
    """Read where the drawn dancer's joints are; there they are inside the picture, hidden or not."""
    drawn = file.names("point_names", body=False)
    names = []
    for name in drawn:
        side, _, joint = name.partition("_")
        names.append(f"{_DRAWN_SIDES[side]}_{_DRAWN_ENDS.get(joint, joint)}" if side in _DRAWN_SIDES else name)
    if missing := [name for name in BODY if name not in names]:
        raise file.fault(f"it is of no dancer: nobody drawn has a {missing[0]}")
    places = file.floats("points", (None, len(names), 2))
    seen = file.floats("points_seen", places.shape[:2])
    height, width = file.shapes.get("masks", (1, 1))[-2:]
    return JointTrack(file.times(len(places)), tuple(names), places, seen, (width, height))


class _Arrays:
    """The arrays of an untrusted .npz: what they claim to be is checked before their memory is taken."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._bytes: dict[str, int] = {}
        try:
            with zipfile.ZipFile(path) as file:
                for entry in file.infolist():
                    name = entry.filename.removesuffix(".npy")
                    self.shapes[name], self._bytes[name] = self._shape(file, entry), entry.file_size
        except OSError as fault:
            raise explain(fault, path, "read") from fault
        except _DAMAGED as fault:
            raise self.fault("it is no .npz, or is damaged") from fault

    def _shape(self, file: zipfile.ZipFile, entry: zipfile.ZipInfo) -> tuple[int, ...]:
        with file.open(entry) as content:
            version = np.lib.format.read_magic(content)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, kind = read(content)
            if kind.hasobject:
                raise self.fault(f"{entry.filename} holds Python objects, which can run code")
            if math.prod(shape) * kind.itemsize != entry.file_size - content.tell():
                raise self.fault(f"{entry.filename} is damaged")
        return shape

    def fault(self, words: str) -> MediaError:
        """Say what is wrong with the file."""
        return MediaError(f"{self.path} cannot be used as a track: {words}.", _KINDS)

    def floats(self, name: str, shape: tuple[int | None, ...] | None = None, *, unknown: bool = False) -> Floats:
        """Read numbers of a shape, in which None fits any length; NaN stands for what is not known, if that may be."""
        array = self._array(name)
        if array.dtype.kind not in "fiub":
            raise self.fault(f"{name} holds no numbers")
        if shape is not None:
            right = array.ndim == len(shape) and all(b in (a, None) for a, b in zip(array.shape, shape, strict=True))
            if not right:
                words = ", ".join("any" if length is None else str(length) for length in shape)
                raise self.fault(f"{name} has the shape {array.shape} instead of ({words})")
        if not array.size:
            raise self.fault(f"{name} is empty")
        array = array.astype(np.float64)
        if np.isinf(array).any() or (np.isnan(array).any() and not unknown):
            raise self.fault(f"{name} holds numbers that are not finite")
        return array

    def names(self, name: str, *, body: bool = True) -> tuple[str, ...]:
        """Read names that differ; those of `poses.BODY` must be among them."""
        array = self._array(name)
        if array.dtype.kind != "U" or array.ndim != 1:
            raise self.fault(f"{name} is no list of names")
        found = tuple(map(str, array))
        if len(set(found)) < len(found):
            raise self.fault(f"{name} has a name twice")
        if body and (missing := [each for each in BODY if each not in found]):
            raise self.fault(f"{name} has no {missing[0]}")
        return found

    def times(self, count: int) -> Floats:
        """Return when the frames are, in seconds."""
        Limits.from_environment().check(str(self.path), "frames", count)
        if "times" in self.shapes:
            times = self.floats("times", (count,))
            if (np.diff(times) <= 0).any():
                raise self.fault("times do not rise")
            return times
        rate = float(self.floats("fps").flat[0]) if "fps" in self.shapes else self._rate_beside()
        if not 0 < rate <= _MOST_RATE:
            raise self.fault(f"{rate:g} frames per second cannot be")
        return np.arange(count) / rate

    def _rate_beside(self) -> float:
        """Read the rate of a drawn clip."""
        try:
            scene: Mapping[str, Any] = json.loads((self.path.parent / "scene.json").read_bytes())
            return float(Fraction(scene["rate"]))
        except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError, RecursionError):
            raise self.fault("it has neither times nor fps") from None

    def _array(self, name: str) -> NDArray[Any]:
        if name not in self.shapes:
            raise self.fault(f"it has no {name}")
        if self._bytes[name] > _MOST_BYTES:
            raise self.fault(f"{name} is larger than {_MOST_BYTES // 2**20:,} MB")
        try:
            with np.load(self.path, allow_pickle=False) as file:
                return file[name]
        except OSError as fault:
            raise explain(fault, self.path, "read") from fault
        except _DAMAGED as fault:
            raise self.fault(f"{name} is damaged") from fault
