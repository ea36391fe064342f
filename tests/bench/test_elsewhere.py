"""What other programs made, read from folders, and what they are given."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from keyweave.base.errors import InputError
from keyweave.bench.contenders import contenders
from keyweave.bench.elsewhere import Elsewhere, elsewhere, write_keyframes
from keyweave.bench.pairs import Material, toyworld_pairs
from keyweave.bench.run import bench_inbetween
from keyweave.cli.main import main
from keyweave.media.pictures.images import read_image, write_image
from keyweave.media.types import Image
from keyweave.media.writers import write_clip

SIZE = (32, 32)


@pytest.fixture(scope="module")
def material() -> Material:
    return toyworld_pairs(2, others=0, frames=5, size=SIZE)


def write(folder: Path, frames: np.ndarray) -> None:
    for number, frame in enumerate(frames):
        write_image(folder / f"{number:04d}.png", Image(np.ascontiguousarray(frame)), overwrite=True)


def test_real_clips_from_a_folder_are_as_good_as_the_real_ones(material: Material, tmp_path: Path):
    """Each at its pair; and of twice as many frames every other one is taken."""
    made = tmp_path / "made"
    for number, pair in enumerate(material.pairs):
        frames = pair.read().frames
        between = np.repeat(frames, 2, axis=0)[:-1]
        between[1::2] = 0
        write(made / f"{number:03d}", between)
    found = bench_inbetween(material, contenders([f"folder:Copy={made}"], None), tmp_path / "cache")
    for key, grid in found.values["real"].items():
        np.testing.assert_array_equal(found.values["Copy"][key], grid)
    (copy,) = found.contenders[1:]
    assert copy.says == "what another program made, from the folder made; at each time the nearest of its frames"


def test_what_was_made_anew_is_read_anew(material: Material, tmp_path: Path):
    made, cache = tmp_path / "made", tmp_path / "cache"
    psnr = []
    for light in (0, 40):
        for number, pair in enumerate(material.pairs):
            frames = pair.read().frames.copy()
            frames[1:-1] = np.minimum(frames[1:-1], 255 - light) + light
            write(made / f"{number:03d}", frames)
        found = bench_inbetween(material, contenders([f"folder:Copy={made}"], None), cache)
        psnr.append(float(found.values["Copy"]["psnr"].mean()))
    assert psnr[0] == 99
    assert 10 < psnr[1] < 30


def test_a_pair_that_gets_another_number_has_the_result_of_that_number(material: Material, tmp_path: Path):
    """Of a folder of videos another --pairs numbers the same pairs anew; results that are added change no others."""
    made, cache = tmp_path / "made", tmp_path / "cache"
    for number in range(2):
        write(made / f"{number:03d}", np.full((5, 32, 32, 3), 50 * (number + 1), np.uint8))
    for pairs in (material.pairs, material.pairs[::-1]):
        turned = replace(material, pairs=pairs)
        found = bench_inbetween(turned, contenders([f"folder:Grey={made}"], None), cache)
        assert [clip[0, 0, 0, 0] for clip in found.clips["Grey"]] == [50, 100]
    kept = set(cache.rglob("*.npz"))
    write(made / "002", np.zeros((5, 32, 32, 3), np.uint8))
    bench_inbetween(material, contenders([f"folder:Grey={made}"], None), cache)
    assert set(cache.rglob("*.npz")) == kept


def test_of_a_damaged_result_nothing_is_asked_for_that_there_is_not(tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), np.uint8)
    write_clip(tmp_path / "000.mp4", noise, Fraction(10))
    whole = (tmp_path / "000.mp4").read_bytes()
    half = len(whole) // 2
    (tmp_path / "000.mp4").write_bytes(whole[:half] + bytes(len(whole) - half))  # its index lies before
    with pytest.raises(InputError) as caught:
        Elsewhere("x", tmp_path).clip(0, 5, SIZE)
    assert caught.value.hint == "Write it anew."


def test_a_film_of_another_size_and_shape_is_fitted_as_pairs_are(tmp_path: Path):
    frames = np.zeros((4, 40, 100, 3), np.uint8)
    frames[:, :, 30:70] = 200  # the middle that is kept
    write_clip(tmp_path / "007.gif", frames, Fraction(10))
    clip = Elsewhere("x", tmp_path).clip(7, 4, (20, 20))
    assert clip.shape == (4, 20, 20, 3)
    assert np.abs(clip.astype(int) - 200).max() < 20  # edges ring a little


def test_keyframes_are_written_by_number(material: Material, tmp_path: Path):
    write_keyframes(tmp_path, material.pairs)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")) == [
        f"{number:03d}/{name}.png" for number in (0, 1) for name in ("first", "last")
    ]
    real = material.pairs[1].read().frames
    for name, frame in (("first", real[0]), ("last", real[-1])):
        assert np.array_equal(read_image(tmp_path / "001" / f"{name}.png").pixels, frame)


def test_what_is_missing_or_twice_there_is_told(material: Material, tmp_path: Path):
    results = Elsewhere("x", tmp_path)
    with pytest.raises(InputError, match=r"has no folder 012, nor a film 012\.mp4, for pair 12\. Each pair has one"):
        results.place(12)
    write(tmp_path / "012", material.pairs[0].read().frames[:2])
    with pytest.raises(InputError, match=r"012 holds 2 frames; a clip has 3 or more, its keyframes among them"):
        results.clip(12, 5, SIZE)
    (tmp_path / "012.mp4").write_bytes(b"")
    (tmp_path / "0123.mp4").write_bytes(b"")  # another's
    with pytest.raises(InputError, match=r"has both 012 and 012\.mp4, for pair 12"):
        results.place(12)


@pytest.mark.parametrize("word", ["folder:", "folder:x", "folder:=a", "folder:a/b=c", "folder: x=."])
def test_a_form_that_is_none(word: str):
    with pytest.raises(InputError, match="it should be folder:NAME=DIR"):
        elsewhere(word)


def test_from_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Keyframes out, another program's frames in; a pair that it left out is told before anything is filled."""
    report, made = tmp_path / "report", tmp_path / "made"
    argv = [
        "bench",
        "inbetween",
        "-o",
        str(report),
        "--pairs",
        "2",
        "--size",
        "32x32",
        "--frames",
        "4",
        "--sheets",
        "1",
    ]
    assert main([*argv, "--methods", "crossfade", "--keyframes"]) == 0
    for number in range(2):
        if number == 1:
            capsys.readouterr()
            assert main([*argv, "--methods", f"folder:Held={made}"]) == 2
            assert "made has no folder 001, nor a film 001.mp4, for pair 1." in capsys.readouterr().err
        first, last = (read_image(report / "keyframes" / f"{number:03d}" / f"{one}.png") for one in ("first", "last"))
        write(made / f"{number:03d}", np.stack([first.pixels, first.pixels, last.pixels]))
    assert main([*argv, "--methods", f"crossfade,folder:Held={made}", "--json"]) == 0
    *_, last_row = map(json.loads, capsys.readouterr().out.splitlines())
    assert [row["name"] for row in last_row["methods"]] == ["real", "crossfade", "Held"]
    assert last_row["methods"][2]["means"]["ends"] == 99
    assert "- `Held`: what another program made, from the folder made" in (report / "report.md").read_text()
