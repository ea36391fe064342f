"""What a person worked on is never lost: whatever is made anew, it keeps another name."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from keyweave.cli.main import main
from keyweave.media.pictures.images import read_image, write_image
from keyweave.media.types import Image

GREY = 77


@pytest.fixture
def pictures(place: Path) -> list[str]:
    return [str(place / f"k{number}.png") for number in (1, 2, 3, 4)]


@pytest.fixture
def danced(
    place: Path, pictures: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Dance with what more is asked, once the film alone is removed; tell the exit code and what was said."""
    film = tmp_path / "film.mp4"
    argv = [*pictures, "--reference", str(place / "ref.mp4"), "--poses", str(place / "poses.npz"), "--motion", "2:90"]
    argv += ["--engine", "crossfade", "--preview", "--seed", "1", "-o", str(film)]

    def again(*more: str) -> tuple[int, str]:
        film.unlink(missing_ok=True)
        capsys.readouterr()
        code = main(["dance", *argv, *more])
        return code, capsys.readouterr().err

    assert again()[0] == 0
    return again


def edit(path: Path, **values: object) -> str:
    """Write over some of what a file says, as a person would; return all that it says then."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return path.read_text()


def test_an_edited_choreography_is_danced_when_the_film_is_removed(
    danced: Callable[..., tuple[int, str]], tmp_path: Path
):
    kept = tmp_path / "film.dance" / "choreography.json"
    count = len(json.loads(kept.read_text())["labels"].split("-"))
    edit(kept, labels="-".join((["A", "B"] * count)[:count]))
    code, said = danced()
    assert code == 0, said
    plan = json.loads((tmp_path / "film.dance" / "plan.json").read_text())
    assert set(plan["pairs"]) == {"A", "B"}


def test_each_edit_keeps_a_name_of_its_own(danced: Callable[..., tuple[int, str]], tmp_path: Path):
    kept = tmp_path / "film.dance" / "choreography.json"
    first = edit(kept, notes=["mine"])
    assert danced("--threshold", "0.3")[0] == 0
    second = edit(kept, notes=["mine too"])
    code, said = danced("--threshold", "0.31")
    assert code == 0, said
    assert "choreography.json as it was is now choreography.old-2.json" in said
    assert kept.with_name("choreography.old.json").read_text() == first
    assert kept.with_name("choreography.old-2.json").read_text() == second
    third = edit(kept, notes=["and this"])
    assert danced("--threshold", "0.31", "--overwrite")[0] == 0
    assert kept.with_name("choreography.old-3.json").read_text() == third


def test_painted_keyframes_outlive_wishes_that_cannot_be(danced: Callable[..., tuple[int, str]], tmp_path: Path):
    folder = tmp_path / "film.dance" / "plan-keyframes"
    size = read_image(folder / "03m.png").size
    write_image(folder / "03m.png", Image(np.full((size[1], size[0], 3), GREY, np.uint8)), overwrite=True)
    plan = (tmp_path / "film.dance" / "plan.json").read_text()
    code, said = danced("--mirrored-poses", "Q")
    assert code == 2
    assert "Q is to end in the mirrored pose" in said
    assert (tmp_path / "film.dance" / "plan.json").read_text() == plan
    assert danced("--transition", "1")[0] == 0
    assert (read_image(folder / "03m.png").pixels == GREY).all()
    assert danced("--transition", "1", "--overwrite")[0] == 0
    assert (read_image(folder.with_name("plan-keyframes.old") / "03m.png").pixels == GREY).all()
    assert not (read_image(folder / "03m.png").pixels == GREY).all()


def test_how_a_song_is_heard_may_be_changed(danced: Callable[..., tuple[int, str]], place: Path, tmp_path: Path):
    song = shutil.copy(place / "ref.mp4", tmp_path / "song.mp4")
    kept = tmp_path / "film.dance" / "beats.json"
    assert danced("--music", str(song))[0] == 0
    before = json.loads(kept.read_text())["beats"]
    code, said = danced("--music", str(song), "--offset", "0.1")
    assert code == 0, said
    after = np.array(json.loads(kept.read_text())["beats"], float)
    assert np.allclose(after, np.array(before, float)[: len(after)] + 0.1)  # the last one may leave the song


def test_a_folder_with_something_else_in_it_keeps_another_name(
    pictures: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    assert main(["dance", "mirror", *pictures, "-o", str(mine), "--overwrite"]) == 0
    assert "is now mine.old" in capsys.readouterr().err
    assert (tmp_path / "mine.old" / "thesis.txt").read_text() == "years of work"
    assert main(["dance", "mirror", *pictures, "-o", str(mine), "--overwrite"]) == 0
    assert not (tmp_path / "mine.old-2").exists()  # nothing was changed in what keyweave made


def test_a_folder_is_not_replaced_by_what_is_made_of_its_own_pictures(
    pictures: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / "pics"
    folder.mkdir()
    own = [shutil.copy(path, folder) for path in pictures]
    assert main(["dance", "mirror", *map(str, own), "-o", str(folder), "--overwrite"]) == 2
    assert "lies in" in capsys.readouterr().err
    assert len(list(folder.iterdir())) == 4


def test_an_alpha_channel_that_says_nothing_is_dropped_and_another_is_told_of(
    pictures: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    paths = []
    for path in pictures:
        pixels = read_image(Path(path)).pixels
        paths.append(tmp_path / Path(path).name)
        write_image(paths[-1], Image(np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])))
    assert main(["dance", "mirror", *map(str, paths), "-o", str(tmp_path / "m")]) == 0
    assert read_image(tmp_path / "m" / "01m.png").pixels.shape[2] == 3
    pixels = read_image(paths[1]).pixels.copy()
    pixels[0, 0, 3] = 254
    write_image(paths[1], Image(pixels), overwrite=True)
    assert main(["dance", "mirror", *map(str, paths), "-o", str(tmp_path / "n")]) == 2
    assert f"{paths[1]} has transparent parts" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--axis", "nan"], "--axis: 'nan' is not a number"),
        (["--motion", "nan:60"], "got nan to 60"),
        (["--motion", "0:inf"], "got 0 to inf"),
        (["--transition", "-500"], "0 pixels or more; got -500"),
        (["--plan-seconds", "0"], "more than 0 seconds; got 0"),
        (["--pin", "A=1>2", "--pin", "A=2>3"], "gives keyframes to A a second time"),
        (["--pin", "A=1>1"], "begins and ends in one keyframe"),
        (["--pin", "Z=1>2"], "Z, which is not in the choreography"),
    ],
)
def test_wishes_that_mean_nothing_are_refused_before_work_begins(
    pictures: list[str],
    tmp_path: Path,
    more: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    from keyweave.app import dance_stages

    def worked(*_: object, **__: object) -> None:
        raise AssertionError("work has begun")

    monkeypatch.setattr(dance_stages, "mirror_keyframes", worked)
    assert main(["dance", "plan", *pictures, "--labels", "A-B", "-o", str(tmp_path / "p.json"), *more]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"keyweave beats": 1, "beats": 5}, "beats: write a list of seconds"),
        ({"keyweave choreography": 1, "beats": [1, 2, 3, 4], "labels": "A-B-C"}, "there are 3 labels for 2 segments"),
    ],
)
def test_a_damaged_file_is_told_of_as_what_it_is(
    place: Path, tmp_path: Path, form: dict[str, object], says: str, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "b.json").write_text(json.dumps(form))
    argv = ["dance", "render", "plan.json", "--beats", str(tmp_path / "b.json"), "--music", str(place / "ref.mp4")]
    assert main([*argv, "-o", str(tmp_path / "f.gif")]) == 2
    assert says in capsys.readouterr().err


def test_how_far_it_has_come_is_told(
    place: Path, pictures: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    argv = [*pictures, "--reference", str(place / "ref.mp4"), "--poses", str(place / "poses.npz"), "--motion", "2:90"]
    assert main(["dance", *argv, "--engine", "crossfade", "-o", str(tmp_path / "f.gif"), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = [row for row in rows if "fraction" in row]
    fractions = [row["fraction"] for row in told]
    assert fractions == sorted(fractions)
    begun = {row["part"][-1]: row["fraction"] for row in told if row["event"] == "begin"}
    assert begun["comparing keyframes"] < begun["film"] == 0.5 < fractions[-1] == 1
