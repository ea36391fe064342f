"""Law: whatever happens, the target is the old file, the new one, or nothing."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from keyweave.base.errors import InputError, MediaError
from keyweave.base.files import (
    existing_file,
    explain,
    explained,
    refuse_existing,
    refuse_filled,
    refuse_unwritable,
    replacing,
    replacing_folder,
    settle_folder,
    write_text,
)


def leftovers(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir() if one.name.endswith(".part"))


def test_a_new_file_appears_whole_and_alone(tmp_path: Path):
    with replacing(tmp_path / "deep" / "a.txt") as part:
        part.write_text("whole")
        assert not (tmp_path / "deep" / "a.txt").exists()
    assert (tmp_path / "deep" / "a.txt").read_text() == "whole"
    assert leftovers(tmp_path / "deep") == []


def test_a_failure_leaves_the_old_file_and_no_part(tmp_path: Path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(target, overwrite=True) as part:
        part.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "old"
    assert leftovers(tmp_path) == []


def test_an_existing_file_is_refused_without_overwrite(tmp_path: Path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(InputError, match=r"a\.txt already exists\. Pass --overwrite"), replacing(target):
        pytest.fail("the block must not run")
    write_text(target, "new", overwrite=True)
    assert target.read_text() == "new"


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path):
    target = tmp_path / "a.txt"
    with pytest.raises(InputError, match="already exists"), replacing(target) as part:
        part.write_text("mine")
        target.write_text("somebody else's")
    assert target.read_text() == "somebody else's"
    assert leftovers(tmp_path) == []


def test_a_disk_without_hard_links_still_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def no_links(self: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    write_text(tmp_path / "a.txt", "whole")
    assert (tmp_path / "a.txt").read_text() == "whole"


def test_a_folder_in_the_way_is_named(tmp_path: Path):
    with pytest.raises(InputError, match="it is a folder, not a file"):
        refuse_existing(tmp_path, overwrite=True)


def test_a_place_below_a_file_is_one_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(MediaError, match=r"Cannot write .*a\.txt: "), replacing(tmp_path / "file" / "a.txt"):
        pytest.fail("the block must not run")


@pytest.mark.parametrize(
    "refuse", [partial(refuse_existing, overwrite=True), partial(refuse_filled, overwrite=True), refuse_unwritable]
)
def test_a_place_where_nothing_can_be_made_is_told_before_the_work(
    refuse: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    refuse(tmp_path / "new" / "deep" / "a")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("x")
    for below in ("a", "new/a"):
        with pytest.raises(MediaError, match=r"Cannot write .*a: a part of the path is a file, not a folder\."):
            refuse(tmp_path / "file" / below)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(MediaError, match=r"Cannot write .*a: permission was denied\."):
        refuse(tmp_path / "new" / "a")


def test_clips_cannot_be_kept_in_a_file(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(MediaError, match="a part of the path is a file"):
        refuse_unwritable(tmp_path / "file")


def test_a_full_disk_is_one_sentence(tmp_path: Path):
    with pytest.raises(MediaError, match="the disk is full. Free some space"), replacing(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert leftovers(tmp_path) == []


def test_an_unknown_fault_keeps_the_words_of_the_system():
    assert str(explain(OSError(errno.ENXIO, "No such device"), Path("a"), "read")) == "Cannot read a: No such device."
    assert "there is already a file or folder of that name" in str(explain(OSError(errno.EEXIST, ""), Path("a"), "use"))


def test_only_faults_of_a_place_are_told_as_such():
    told = explained(FileNotFoundError(errno.ENOENT, "No such file or directory", "a.png"))
    assert str(told) == "Cannot use a.png: there is no such file or folder. Check the spelling of the path."
    assert explained(OSError(errno.ENOENT, "No such file or directory")) is None
    assert explained(OSError("something else")) is None
    assert explained(OSError(errno.EBADF, "Bad file descriptor", 3)) is None


@pytest.mark.parametrize("look", [existing_file, lambda path: refuse_existing(path, overwrite=True)])
def test_names_that_no_disk_takes_are_one_sentence(look, tmp_path: Path):
    with pytest.raises(MediaError, match=r"the name is too long for this disk\. Choose a shorter name\."):
        look(tmp_path / ("x" * 300))


@pytest.mark.parametrize("replace", [replacing, replacing_folder])
def test_what_should_lie_in_a_file_is_refused(replace, tmp_path: Path):
    (tmp_path / "file").write_text("mine")
    with (
        pytest.raises(MediaError, match=r"a part of the path is a file, not a folder\."),
        replace(tmp_path / "file" / "new"),
    ):
        pass
    assert (tmp_path / "file").read_text() == "mine"


def test_long_names_still_get_a_part_beside_them(tmp_path: Path):
    target = tmp_path / ("n" * 250 + ".txt")
    write_text(target, "whole")
    assert target.read_text() == "whole"


def test_a_folder_takes_its_place_as_a_whole(tmp_path: Path):
    target = tmp_path / "shots"
    target.mkdir()
    (target / "old.txt").write_text("old")
    with pytest.raises(InputError, match="already holds files"), replacing_folder(target):
        pytest.fail("the block must not run")
    with replacing_folder(target, overwrite=True) as part:
        (part / "new.txt").write_text("new")
        assert (target / "old.txt").exists()
    assert [one.name for one in target.iterdir()] == ["new.txt"]
    assert [one.name for one in tmp_path.iterdir()] == ["shots"]


def test_a_failing_folder_leaves_the_old_one(tmp_path: Path):
    target = tmp_path / "shots"
    target.mkdir()
    (target / "old.txt").write_text("old")
    with pytest.raises(ZeroDivisionError), replacing_folder(target, overwrite=True) as part:
        (part / "new.txt").write_text("new")
        raise ZeroDivisionError
    assert [one.name for one in target.iterdir()] == ["old.txt"]
    assert leftovers(tmp_path) == []


def test_stopped_between_two_names_the_old_folder_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_text(tmp_path / "last" / "old.txt", "old")
    rename = Path.rename

    def stopped(self: Path, target: Path) -> Path:
        if self.suffix == ".part":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", stopped)
    with pytest.raises(KeyboardInterrupt), replacing_folder(tmp_path / "last", overwrite=True) as part:
        (part / "new.txt").write_text("new")
    assert [str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*")] == ["last", "last/old.txt"]


@pytest.mark.parametrize(
    ("left", "found"),
    [
        ([".last.aaaaaaaaaaaa.part"], None),  # the first one ever, half written
        (["last", ".last.aaaaaaaaaaaa.part", ".last.bbbbbbbbbbbb.part"], "last"),  # later ones, half written
        ([".last.aaaaaaaaaaaa.old", ".last.aaaaaaaaaaaa.part"], ".last.aaaaaaaaaaaa.part"),  # between the two names
        ([".last.aaaaaaaaaaaa.old"], ".last.aaaaaaaaaaaa.old"),
        (["last", ".last.aaaaaaaaaaaa.old"], "last"),  # the old one not yet gone
        ([".last.aaaaaaaaaaaa.part", ".last.bbbbbbbbbbbb.old"], ".last.bbbbbbbbbbbb.old"),
        ([], None),
    ],
)
def test_what_a_kill_leaves_is_settled(tmp_path: Path, left: list[str], found: str | None):
    """A folder whose new one is whole gets it, else its old one; whatever else a kill left is gone."""
    others = {".last.txt", ".lasting.aaaaaaaaaaaa.part"}
    for name in (*left, ".lasting.aaaaaaaaaaaa.part"):
        write_text(tmp_path / name / "name.txt", name)
    write_text(tmp_path / ".last.txt", "a person's own")
    settle_folder(tmp_path / "last")
    assert {one.name for one in tmp_path.iterdir()} == others | ({"last"} if found else set())
    assert found is None or (tmp_path / "last" / "name.txt").read_text() == found


def test_there_is_nothing_to_settle_where_nothing_was_begun(tmp_path: Path):
    settle_folder(tmp_path / "none" / "last")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_could_not_be_removed_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    protected = tmp_path / "frames" / "inner"
    protected.mkdir(parents=True)
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda place, mode: Path(place) != protected and allowed(place, mode))
    with (
        pytest.raises(MediaError, match="Cannot write .*frames: permission was denied"),
        replacing_folder(tmp_path / "frames", overwrite=True),
    ):
        raise AssertionError("work was done for a place that cannot take it")
    assert list(tmp_path.iterdir()) == [tmp_path / "frames"]
    assert protected.is_dir()


def test_a_folder_cannot_replace_a_file(tmp_path: Path):
    (tmp_path / "shots").write_text("x")
    with pytest.raises(InputError, match="it is a file, not a folder"), replacing_folder(tmp_path / "shots"):
        pytest.fail("the block must not run")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: None, "does not exist"),
        (lambda p: p.mkdir(), "is a folder; a file is needed"),
        (lambda p: p.write_bytes(b""), r"is empty \(0 bytes\)"),
        (os.mkfifo, "is not a regular file"),
    ],
)
def test_inputs_that_cannot_be_read_are_named(tmp_path: Path, make, words: str):
    make(tmp_path / "x")
    with pytest.raises(InputError, match=words):
        existing_file(tmp_path / "x")


def test_a_file_that_the_system_will_not_open_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "x"
    path.write_text("x")

    def denied(self: Path, *_: object) -> None:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(MediaError, match="Cannot read .*: permission was denied"):
        existing_file(path)


KILLED = """
import sys
from pathlib import Path
from keyweave.base.files import replacing
while True:
    with replacing(Path(sys.argv[1]), overwrite=True) as part:
        with part.open("wb") as file:
            for _ in range(64):
                file.write(b"n" * 4096)
                file.flush()
"""


def test_kill_minus_nine_never_leaves_half_a_file(tmp_path: Path):
    target = tmp_path / "a.bin"
    old, new = b"o" * 1000, b"n" * 64 * 4096
    for delay in (0.0, 0.002, 0.005, 0.011, 0.023, 0.041):
        target.write_bytes(old)
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(target)])
        while not leftovers(tmp_path):  # it is writing now
            time.sleep(0.001)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert target.read_bytes() in (old, new)
        for name in leftovers(tmp_path):
            (tmp_path / name).unlink()
