"""`keyweave dance`, stage by stage and all at once, on what the drawn world has."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keyweave
from keyweave.app import dance_stages
from keyweave.app.dance_stages import Hearing
from keyweave.base.recipe import sha256_of_file
from keyweave.cli.main import main
from keyweave.media.clips import read_clip
from keyweave.media.pictures.images import read_image, write_image
from keyweave.media.sound.audio import read_audio
from keyweave.media.types import Image
from keyweave.systems.dance.files import BeatsFile

LABELS = "A-B-A'-B"
SIZE = 96


def keyframes(place: Path) -> list[str]:
    return [str(place / f"k{number}.png") for number in (1, 2, 3, 4)]


def test_the_stages_one_after_another(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    label = ["label", str(place / "ref.mp4"), "--beats", str(place / "beats.json"), "--poses", str(place / "poses.npz")]
    assert main(["dance", *label, "-o", str(tmp_path / "choreography.json")]) == 0
    assert f"labels: {LABELS}" in capsys.readouterr().out
    strips = read_image(tmp_path / "choreography.png")
    assert strips.height > 3 * 64
    assert json.loads((tmp_path / "choreography.json").read_text())["labels"] == LABELS

    plan = ["plan", *keyframes(place), "--choreography", str(tmp_path / "choreography.json"), "--motion", "4:90"]
    assert main(["dance", *plan, "--pin", "A=1>2", "-o", str(tmp_path / "plan.json")]) == 0
    assert "no plan is smoother" in capsys.readouterr().out
    row = json.loads((tmp_path / "plan.json").read_text())
    assert (row["pairs"]["A"], row["pairs"]["A'"]) == ([1, 2], [5, 6])
    assert all((tmp_path / name).is_file() for name in row["pictures"])

    render = ["render", str(tmp_path / "plan.json"), "--beats", str(place / "beats.json")]
    render += ["--music", str(place / "ref.mp4"), "--engine", "crossfade", "--seed", "1", "--crf", "2"]
    assert main(["dance", *render, "--fps", "30", "-o", str(tmp_path / "film.mp4")]) == 0
    clip = read_clip(tmp_path / "film.mp4")
    walk = [number for label in LABELS.split("-") for number in row["pairs"][label]]
    for number, beat in zip(walk, json.loads((place / "beats.json").read_text())["beats"], strict=True):
        shown = read_image(tmp_path / row["pictures"][number - 1]).pixels
        frame = clip.frames[round(Fraction(beat) * 30)]
        assert np.abs(frame.astype(int) - shown).mean() < 6
    song, heard = read_audio(place / "ref.mp4"), clip.audio
    assert song is not None
    assert heard is not None
    assert abs(heard.duration - song.duration) < 0.1
    assert main(["rerun", str(tmp_path / "film.mp4")]) == 0
    assert "same bytes" in capsys.readouterr().out


def test_all_at_once_uses_what_was_edited(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """With a choreography in the film's folder nothing is listened to and nobody is followed."""
    film = tmp_path / "film.mp4"
    (tmp_path / "film.dance").mkdir()
    beats = json.loads((place / "beats.json").read_text())["beats"]
    edited = {"keyweave choreography": 1, "beats": beats, "labels": "A-A'-A-A'"}
    (tmp_path / "film.dance" / "choreography.json").write_text(json.dumps(edited))
    argv = ["dance", *keyframes(place), "--reference", str(place / "ref.mp4"), "--motion", "2:90"]
    argv += ["--engine", "crossfade", "--seed", "1", "-o", str(film), "--json"]
    assert main(argv) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[-2]["labels"] == "A-A'-A-A'"
    assert any("Using" in row.get("text", "") for row in rows)
    plan = film.parent / "film.dance" / "plan.json"
    before = plan.read_bytes()
    film.unlink()
    film.with_name("film.mp4.json").unlink()
    assert main(argv) == 0
    assert plan.read_bytes() == before
    capsys.readouterr()
    assert main(argv) == 2
    assert "exists" in capsys.readouterr().out


def test_the_same_from_python(place: Path, tmp_path: Path):
    folder = tmp_path / "film.dance"
    folder.mkdir()
    edited = {"keyweave choreography": 1, "beats": [0.5, 1, 1.5, 2], "labels": "A-A"}
    (folder / "choreography.json").write_text(json.dumps(edited))
    keyframes = [place / f"k{number}.png" for number in (1, 2)]
    made = keyweave.dance(keyframes, place / "ref.mp4", tmp_path / "film.gif", engine="crossfade", seed=1, fps=10)
    assert made.recipe.options["beats"] == ["1/2", "1", "3/2", "2"]
    assert made.frames == len(read_clip(tmp_path / "film.gif"))


def test_the_same_choices_give_the_same_files_from_python(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def beats(self: Hearing, song: Path, _: object) -> BeatsFile:  # which to find takes its time
        times = [Fraction(at) + self.offset for at in json.loads((place / "beats.json").read_text())["beats"]]
        row = {"beats": times, "parity": self.parity or 0, "asked": self.words, "made_from": sha256_of_file(song)}
        return BeatsFile.model_validate({"keyweave beats": 1, **row})

    monkeypatch.setattr(Hearing, "beats", beats)
    song = tmp_path / "song.mp4"
    song.write_bytes((place / "ref.mp4").read_bytes() + b"\0")
    typed, written = tmp_path / "typed" / "film.gif", tmp_path / "written" / "film.gif"
    argv = ["--reference", str(place / "ref.mp4"), "--music", str(song), "--poses", str(place / "poses.npz")]
    argv += ["--offset", "-0.1", "--parity", "1", "--beats-by", "librosa", "--reference-offset", "0.05"]
    argv += ["--reference-parity", "0", "--reference-meter", "4/4", "--threshold", "1", "--mirror-threshold", "0.5"]
    argv += ["--pin", "A=1>2", "--motion", "2:90"]
    argv += ["--transition", "5", "--plan-seconds", "20", "--fps", "10", "--preview", "--engine", "crossfade"]
    assert main(["dance", *keyframes(place)[:2], *argv, "--seed", "1", "-o", str(typed)]) == 0
    keyweave.dance(
        keyframes(place)[:2],
        place / "ref.mp4",
        written,
        song=song,
        poses=place / "poses.npz",
        engine="crossfade",
        seed=1,
        offset=-0.1,
        parity=1,
        beats_by="librosa",
        reference_offset=0.05,
        reference_parity=0,
        reference_meter="4/4",
        threshold=1,
        mirror_threshold=0.5,
        pin=["A=1>2"],
        motion=(2, 90),
        transition=5,
        plan_seconds=20,
        fps=10,
        preview=True,
    )
    files = sorted(path.relative_to(typed.parent) for path in typed.parent.rglob("*") if path.is_file())
    assert {Path("film.dance", name) for name in ("beats.json", "choreography.json", "plan.json")} < set(files)
    assert files == sorted(path.relative_to(written.parent) for path in written.parent.rglob("*") if path.is_file())
    for path in files:
        assert (typed.parent / path).read_bytes() == (written.parent / path).read_bytes(), path


def test_what_cannot_be_is_told_in_python_before_work_begins(place: Path, tmp_path: Path):
    film = tmp_path / "film.gif"
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"reference_tempo": "x2"}, "--reference-tempo is for a dance to another song"),
        ({"crop": (1, 2)}, "--crop is (1, 2)"),
        ({"colour": "red"}, "There is no option --colour"),
        ({"beats": [0.5, 1.0]}, "A dance finds out by itself what --beats says. Edit choreography.json"),
        ({"mirrored": tmp_path / "none"}, "does not hold 4 keyframes and their mirrored ones"),
    )
    for given, says in wrong:
        with pytest.raises(keyweave.KeyweaveError) as fault:
            keyweave.dance(keyframes(place), place / "ref.mp4", film, **given)
        assert says in str(fault.value)
    assert not list(tmp_path.iterdir())


def test_nothing_that_lies_beside_a_file_is_replaced_unasked(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Most people keep their keyframes in a folder of that name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keyframes").mkdir()
    for number in (1, 2, 3, 4):
        (tmp_path / "keyframes" / f"k{number}.png").write_bytes((place / f"k{number}.png").read_bytes())
    (tmp_path / "labels.png").write_bytes(b"mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    pictures = [f"keyframes/k{number}.png" for number in (1, 2, 3, 4)]
    plan = ["dance", "plan", *pictures, "--labels", "A-A'", "--motion", "4:90"]
    label = ["dance", "label", str(place / "ref.mp4"), "--beats", str(place / "beats.json")]
    assert main([*plan, "-o", "plan.json"]) == 0
    assert main([*label, "--poses", str(place / "poses.npz"), "-o", "choreography.json"]) == 0
    assert all(path.read_bytes() == content for path, content in before.items())
    for made in ("plan.png", "plan-keyframes", "choreography.png"):
        assert (tmp_path / made).exists()
    (tmp_path / "plan.json").unlink()
    capsys.readouterr()
    assert main([*plan, "-o", "plan.json"]) == 2
    assert "plan.png already exists" in capsys.readouterr().err
    assert main([*plan, "-o", "plan.txt"]) == 2
    assert "plan.txt is no name for a plan. Let it end in .json." in capsys.readouterr().err


def test_what_a_kept_file_was_not_made_for_is_made_anew_and_said(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    film = tmp_path / "film.mp4"
    (tmp_path / "film.dance").mkdir()
    beats = json.loads((place / "beats.json").read_text())["beats"]
    edited = {"keyweave choreography": 1, "beats": beats, "labels": "A-B-A-B"}
    (tmp_path / "film.dance" / "choreography.json").write_text(json.dumps(edited))
    argv = ["dance", *keyframes(place), "--reference", str(place / "ref.mp4"), "--motion", "2:90"]
    argv += ["--engine", "crossfade", "--seed", "1", "-o", str(film)]
    kept = tmp_path / "film.dance" / "plan.json"

    def again(*more: str) -> str:
        for path in (film, film.with_name("film.mp4.json")):
            path.unlink(missing_ok=True)
        capsys.readouterr()
        assert main([*argv, *more]) == 0
        return capsys.readouterr().err

    again()
    first = json.loads(kept.read_text())
    assert "plan.json" in again()  # is used, and that is said
    mended = tmp_path / "film.dance" / "plan-keyframes" / "01m.png"
    write_image(mended, Image(np.full((SIZE, SIZE, 3), 77, np.uint8)), overwrite=True)
    compared: list[Any] = []
    real = dance_stages.plan_dance
    monkeypatch.setattr(
        dance_stages, "plan_dance", lambda labels, made, *a, **kw: compared.append(made) or real(labels, made, *a, **kw)
    )
    said = again("--pin", "A=3>4")
    pinned = json.loads(kept.read_text())
    assert "was made for something else" in said
    assert pinned["pairs"]["A"] == [3, 4] != first["pairs"]["A"]
    assert (read_image(mended).pixels == 77).all()  # what a person painted over is not painted back
    (made,) = compared
    assert (made.pictures[len(made.pictures) // 2].pixels == 77).all()  # and the plan is made for what is seen
    write_image(mended, Image(np.full((SIZE, SIZE + 2, 3), 77, np.uint8)), overwrite=True)
    film.unlink()
    film.with_name("film.mp4.json").unlink()
    assert main([*argv, "--pin", "A=4>3"]) == 2
    assert f"Keyframes of a dance have one size; {mended} is {SIZE + 2}x{SIZE}" in capsys.readouterr().err


def test_a_dance_is_measured_like_any_film_of_keyframes(place: Path, tmp_path: Path):
    from keyweave.app.jobs import Job, run_job
    from keyweave.app.reports import report_on
    from keyweave.base.errors import InputError
    from keyweave.systems.dance.options import DanceOptions

    options = DanceOptions.model_validate({"walk": "1,2,1", "beats": "0.4,0.8,1.2", "fps": 10})
    inputs = (place / "ref.mp4", place / "k1.png", place / "k2.png")
    run_job(Job("dance", inputs, options, engine="crossfade", seed=1, output=tmp_path / "film.mp4"))
    assert {4, 8, 12} <= set(report_on(tmp_path / "film.mp4").keyframes)
    with pytest.raises(InputError, match="dance reads files; a picture in memory was given"):
        run_job(Job("dance", (inputs[0], read_image(inputs[1]), inputs[2]), options))


def test_a_choreography_tells_beats_too(place: Path, tmp_path: Path):
    plan = ["plan", *keyframes(place), "--labels", "A-A", "--motion", "4:90", "-o", str(tmp_path / "plan.json")]
    assert main(["dance", *plan]) == 0
    beats = {"keyweave choreography": 1, "beats": [0.5, 1, 1.5, 2], "labels": "A-A"}
    (tmp_path / "c.json").write_text(json.dumps(beats))
    render = ["render", str(tmp_path / "plan.json"), "--beats", str(tmp_path / "c.json")]
    render += ["--music", str(place / "ref.mp4"), "--engine", "crossfade", "-o", str(tmp_path / "f.gif")]
    assert main(["dance", *render]) == 0


def test_mirror(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["dance", "mirror", *keyframes(place), "-o", str(tmp_path / "m"), "--keep"]) == 0
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == sorted(
        [*(f"0{n}{m}.png" for n in (1, 2, 3, 4) for m in ("", "m")), "background.png", "made.json"]
    )
    assert np.array_equal(read_image(tmp_path / "m" / "01.png").pixels, read_image(place / "k1.png").pixels)
    assert main(["dance", "mirror", *keyframes(place), "-o", str(tmp_path / "m")]) == 2
    assert "already holds files" in capsys.readouterr().err


def test_mirrored_keyframes_that_somebody_painted_are_danced(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    made = tmp_path / "made"
    assert main(["dance", "mirror", *keyframes(place), "-o", str(made)]) == 0
    painted = read_image(made / "02m.png").pixels.copy()
    painted[:8, :8] = (255, 0, 255)
    write_image(made / "02m.png", Image(painted), overwrite=True)
    plan = ["dance", "plan", *keyframes(place), "--labels", "A-A'", "--motion", "1:200", "--mirrored", str(made)]
    assert main([*plan, "-o", str(tmp_path / "plan.json")]) == 0
    row = json.loads((tmp_path / "plan.json").read_text())
    assert row["pictures"][5] == "made/02m.png"
    assert len(row["made_from"]) == 12
    assert not (tmp_path / "plan-keyframes").exists()
    capsys.readouterr()
    assert main([*plan, "--keep", "-o", str(tmp_path / "other.json")]) == 2
    assert "--mirrored that it was done" in capsys.readouterr().err
    (made / "03m.png").unlink()
    assert main([*plan, "-o", str(tmp_path / "other.json")]) == 2
    assert "does not hold 4 keyframes and their mirrored ones: there is no 03m.png" in capsys.readouterr().err
    assert not (tmp_path / "other.json").exists()


def test_labels_are_compared_with_those_that_somebody_wrote(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    label = ["dance", "label", str(place / "ref.mp4"), "--beats", str(place / "beats.json")]
    label += ["--poses", str(place / "poses.npz")]
    assert main([*label, "--annotated", "C-A-C'-A", "-o", str(tmp_path / "a.json")]) == 0
    assert "ARI 1.00, NMI 1.00; mirrored pairs: precision 1.00, recall 1.00, F1 1.00" in capsys.readouterr().out
    assert read_image(tmp_path / "a-distances.png").width > 300
    assert main([*label, "--annotated", "A-B-C", "-o", str(tmp_path / "b.json")]) == 0
    assert "3 labels are annotated, and the dance has 4 segments" in capsys.readouterr().out
    assert main([*label, "--annotated", "A-?", "-o", str(tmp_path / "c.json")]) == 2
    assert not (tmp_path / "c.json").exists()


def test_a_preview_is_small_has_the_same_timing_and_says_so(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    plan = ["plan", *keyframes(place), "--labels", LABELS, "--motion", "4:90", "-o", str(tmp_path / "plan.json")]
    assert main(["dance", *plan]) == 0
    render = ["dance", "render", str(tmp_path / "plan.json"), "--beats", str(place / "beats.json"), "--seed", "1"]
    render += ["--music", str(place / "ref.mp4"), "--engine", "crossfade", "--size", "800x501"]
    capsys.readouterr()
    assert main([*render, "--preview", "-o", str(tmp_path / "small.mp4")]) == 0
    assert "This is a preview of 320x200" in capsys.readouterr().err
    assert main([*render, "--size", "64x40", "-o", str(tmp_path / "film.mp4")]) == 0
    assert "preview" not in capsys.readouterr().err
    small, film = read_clip(tmp_path / "small.mp4"), read_clip(tmp_path / "film.mp4")
    assert small.frames.shape[1:] == (200, 320, 3)
    assert (len(small), small.rate) == (len(film), film.rate)
    assert small.audio is not None
    assert film.audio is not None
    assert np.array_equal(small.audio.samples, film.audio.samples)
    assert main(["rerun", str(tmp_path / "small.mp4")]) == 0
    assert "same bytes" in capsys.readouterr().out


def boxes(folder: Path, left: int, right: int) -> Path:
    """Masks of ones own: the same box in every keyframe."""
    folder.mkdir(parents=True)
    white = np.zeros((SIZE, SIZE, 3), np.uint8)
    white[30:70, left:right] = 255
    for number in (1, 2, 3, 4):
        write_image(folder / f"k{number}.png", Image(white))
    return folder


def test_numbered_pictures_have_a_folder_for_themselves(place: Path, tmp_path: Path):
    folder = tmp_path / "film.dance"
    folder.mkdir()
    edited = {"keyweave choreography": 1, "beats": [0.5, 1, 1.5, 2], "labels": "A-A"}
    (folder / "choreography.json").write_text(json.dumps(edited))
    argv = [*keyframes(place)[:2], "--reference", str(place / "ref.mp4"), "--motion", "0:90", "--engine", "crossfade"]
    assert main(["dance", *argv, "--fps", "2", "--size", "16x16", "-o", str(tmp_path / "film" / "%02d.png")]) == 0
    assert "plan.json" in {path.name for path in folder.iterdir()}
    assert {path.name for path in (tmp_path / "film").iterdir()} >= {"01.png", "02.png", "recipe.json"}


def test_masks_of_ones_own_say_what_is_mirrored(place: Path, tmp_path: Path):
    argv = ["dance", "mirror", *keyframes(place), "--axis", "48", "--masks", str(boxes(tmp_path / "own", 20, 60))]
    assert main([*argv, "-o", str(tmp_path / "m")]) == 0
    background = read_image(tmp_path / "m" / "background.png").pixels
    for number in (1, 2, 3, 4):
        turned = read_image(tmp_path / "m" / f"0{number}m.png").pixels.astype(int)
        wanted = read_image(place / f"k{number}.png").pixels[:, ::-1]
        assert np.abs(turned[33:67, 39:73] - wanted[33:67, 39:73]).mean() < 6  # light is matched
        assert (turned[:, :30] == background[:, :30]).all()


def test_a_kept_plan_is_made_anew_for_other_masks(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "film.dance").mkdir()
    edited = {"keyweave choreography": 1, "beats": [0.5, 1, 1.5, 2], "labels": "A-A"}
    (tmp_path / "film.dance" / "choreography.json").write_text(json.dumps(edited))
    argv = [
        "dance",
        *keyframes(place)[:2],
        "--reference",
        str(place / "ref.mp4"),
        "--motion",
        "0:90",
        "--size",
        "16x16",
    ]
    argv += ["--engine", "crossfade", "--seed", "1", "-o", str(tmp_path / "film.mp4")]
    one, two = boxes(tmp_path / "one", 20, 60), boxes(tmp_path / "two", 30, 70)
    said = []
    for masks in (one, one, two):
        for path in (tmp_path / "film.mp4", tmp_path / "film.mp4.json"):
            path.unlink(missing_ok=True)
        assert main([*argv, "--masks", str(masks)]) == 0
        said.append(capsys.readouterr().err)
    used, anew = "Using", "plan.json was made for something else"
    assert [anew in text for text in said] == [False, False, True]
    assert all(used in text for text in said)
