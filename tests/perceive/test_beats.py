"""Beats of songs that are made here, so that every beat is known."""

import sys
from collections.abc import Sequence
from fractions import Fraction as F
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from keyweave.base.errors import InputError, MissingExtra, ModelError, ModelNotFound
from keyweave.base.extras import EXTRA_OF
from keyweave.base.progress import SILENT, Event, Progress
from keyweave.media.types import Audio
from keyweave.perceive.beat_this import BeatThis
from keyweave.perceive.beats import Beats, find_beats, on_the_grain
from keyweave.perceive.pulse import Pulse, listen
from keyweave.toyworld.songs import SOUND_RATE, song

RATE = 32_000
NEAR = 0.07  # seconds; nearer counts as found


def grid(bpm: float, seconds: float, start: float = 0.37) -> list[float]:
    return [start + number * 60 / bpm for number in range(int((seconds - start - 0.1) * bpm / 60) + 1)]


def played(events: Sequence[tuple[float, np.ndarray]], seconds: float) -> Audio:
    sound = np.zeros(int(seconds * RATE))
    for at, wave in events:
        first = round(at * RATE)
        sound[first : first + len(wave)] += wave[: max(0, len(sound) - first)]
    return Audio(np.tanh(sound).astype(np.float32)[:, None], RATE)


def drums(beats: Sequence[float], seconds: float, *, together: int = 2, first: int = 0) -> Audio:
    """A bass drum on strong beats, a snare on the others, and soft hats in between."""
    t = np.arange(int(0.16 * RATE)) / RATE
    chance = np.random.default_rng(3)
    bass = 0.8 * np.cos(2 * np.pi * (48 * t + 3.2 * (1 - np.exp(-28 * t)))) * np.exp(-14 * t)
    events = []
    for number, (at, after) in enumerate(pairwise([*beats, 2 * beats[-1] - beats[-2]])):
        snare = 0.3 * chance.standard_normal(len(t)) * np.exp(-30 * t)
        hat = 0.06 * np.diff(chance.standard_normal(len(t)), prepend=0) * np.exp(-80 * t)
        events += [(at, bass if number % together == first else snare), (at, hat), ((at + after) / 2, hat)]
    return played(events, seconds)


def clicks(beats: Sequence[float], seconds: float) -> Audio:
    t = np.arange(int(0.03 * RATE)) / RATE
    return played([(at, 0.8 * np.sin(2000 * np.pi * t) * np.exp(-120 * t)) for at in beats], seconds)


def misses(found: Beats, known: Sequence[float]) -> list[float]:
    """For every known beat that was found: by how much later."""
    times = np.array(found.times, np.float64)
    apart = [float(min(times - at, key=abs)) for at in known]
    return [late for late in apart if abs(late) <= NEAR]


def f_measure(found: Beats, known: Sequence[float]) -> float:
    return 2 * len(misses(found, known)) / (len(found.times) + len(known))


@pytest.fixture(scope="module")
def drummed() -> tuple[Audio, list[float]]:
    known = grid(128, 12)
    return drums(known, 12, first=1), known


@pytest.fixture(scope="module")
def hasty() -> tuple[Audio, list[float]]:
    """So fast that only every other beat is found."""
    known = grid(175, 12)
    return drums(known, 12), known


def test_drums_are_found_on_time_with_their_strong_beats(drummed: tuple[Audio, list[float]]):
    sound, known = drummed
    found = find_beats(sound)
    assert f_measure(found, known) > 0.95
    assert abs(np.mean(misses(found, known))) < 0.005
    assert abs(found.tempo - 128) < 2
    strong = np.array(found.times[found.parity :: 2], np.float64)
    assert all(min(abs(strong - at)) < NEAR for at in known[1::2])
    assert found.sureness > 0.8
    assert found.notes == ()


@pytest.mark.parametrize("bpm", [70, 100, 160])
def test_clicks_of_any_tempo_are_found_on_time(bpm: int):
    known = grid(bpm, 12)
    found = find_beats(clicks(known, 12))
    assert f_measure(found, known) > 0.85  # one beat too many, in the silence before the first, is 0.9
    assert abs(np.mean(misses(found, known))) < 0.005


def test_a_drawn_song_is_found_with_its_strong_beats():
    beats = [F(number, 2) for number in range(24)]
    found = find_beats(song(["A", "A", "B", "B"] * 6, beats, 12 * SOUND_RATE, 1))
    assert f_measure(found, [float(at) for at in beats]) > 0.95
    assert abs(np.mean(misses(found, [float(at) for at in beats]))) < 0.005
    assert abs(found.times[found.parity] % 1 - F(1, 2)) > F(2, 5)  # the kicks are on whole seconds


def test_a_tempo_that_changes_is_followed_and_told():
    known = [*grid(100, 12), *grid(140, 24, start=12.1)]
    found = find_beats(drums(known, 24))
    assert f_measure(found, known) > 0.9
    assert "The tempo changes" in found.notes[0]


def test_bars_of_three_begin_on_the_bass_drum():
    known = grid(120, 14)
    sound = drums(known, 14, together=3, first=2)
    in_three, in_two = find_beats(sound, together=3), find_beats(sound)
    strong = np.array(in_three.times[in_three.parity :: 3], np.float64)
    assert all(min(abs(strong - at)) < NEAR for at in known[2::3])
    assert in_three.sureness > 0.7
    assert in_two.notes == ("Every third beat is strong, not every other one; this may be in 3/4.",)


def test_twice_the_tempo_is_offered_and_taken(hasty: tuple[Audio, list[float]]):
    sound, known = hasty
    assert any("175 beats a minute fit as well as 88; x2 takes them." in note for note in find_beats(sound).notes)
    found = find_beats(sound, tempo="x2")
    assert f_measure(found, known) > 0.9
    strong = np.array(found.times[found.parity :: 2], np.float64)
    assert all(min(abs(strong - at)) < NEAR for at in known[2:-2:2])


def test_half_the_tempo_keeps_the_strong_beats(drummed: tuple[Audio, list[float]]):
    sound, known = drummed
    assert f_measure(find_beats(sound, tempo="x0.5"), known[1::2]) > 0.9


def test_offset_and_parity_are_obeyed_and_the_samples_may_be_stereo(drummed: tuple[Audio, list[float]]):
    sound, _ = drummed
    plain = find_beats(sound)
    stereo = Audio(np.repeat(sound.samples, 2, axis=1), RATE)
    moved = find_beats(stereo, offset=F(-1, 50), parity=1 - plain.parity)
    assert moved.times == tuple(at - F(1, 50) for at in plain.times if at >= F(1, 50))
    assert moved.parity == 1 - plain.parity
    assert find_beats(sound) == plain  # and nothing is left to chance
    late = find_beats(sound, offset=F(6))
    assert len(late.times) < len(plain.times)
    assert max(late.times) <= 12


def test_noise_and_talk_are_doubted():
    chance = np.random.default_rng(4)
    noise = Audio((0.1 * chance.standard_normal((10 * RATE, 1))).astype(np.float32), RATE)
    t = np.arange(int(0.3 * RATE)) / RATE
    syllables = [(at, 0.4 * np.sin(2 * np.pi * chance.uniform(120, 900) * t) * np.hanning(len(t)))
                 for at in np.cumsum(chance.uniform(0.12, 0.7, 30)) if at < 11]  # fmt: skip
    for sound in (noise, played(syllables, 12)):
        assert any("it may be speech or noise" in note for note in find_beats(sound).notes)


def test_the_first_time_is_told_to_be_slow(drummed: tuple[Audio, list[float]], monkeypatch: pytest.MonkeyPatch):
    import librosa

    said: list[Event] = []
    monkeypatch.delitem(sys.modules, "librosa")
    monkeypatch.setattr("keyweave.perceive.pulse.need", lambda *_: librosa)
    listen(drummed[0], Progress("beats", said.append))
    assert "ten seconds or more" in said[0].text


def test_agreement_is_a_correlation(drummed: tuple[Audio, list[float]]):
    pulse = listen(drummed[0], SILENT)
    beats = np.array(drummed[1])
    heard = [pulse._bass[int(look) - 2 : int(look) + 3].mean() for look in pulse._looks(beats)]
    for parity, agreed in enumerate(pulse.agreement(beats, 3)):
        strong = [float(number % 3 == parity) for number in range(len(beats))]
        assert agreed == pytest.approx(np.corrcoef(heard, strong)[0, 1], abs=1e-5)


def flat_pulse(onsets: np.ndarray) -> Pulse:
    pulse = Pulse.__new__(Pulse)
    pulse._onsets = pulse._bass = onsets
    return pulse


def test_what_repeats_exactly_repeats_by_one_and_what_is_flat_by_nothing():
    onsets = np.tile(np.array([1.0] + [0.0] * 42), 40)  # two a second
    beats = np.arange(20) * 43 * 256 / 22_050
    assert flat_pulse(onsets).repeats(beats) == pytest.approx(1, abs=0.05)
    assert flat_pulse(np.ones(1720)).repeats(beats) == 0
    assert list(flat_pulse(np.ones(1720)).agreement(beats, 2)) == [0, 0]


def silence(seconds: float) -> Audio:
    return Audio(np.broadcast_to(np.zeros((1, 1), np.float32), (int(seconds * 8000), 1)), 8000)


@pytest.mark.parametrize(
    ("sound", "asked", "said"),
    [
        (silence(10), {}, "The song is silent; there is no beat to find. Give a file in which it is heard."),
        (silence(2), {}, "lasts 3 seconds to 30 minutes; this one lasts 2.0 s. Choose a longer one."),
        (silence(0), {}, "this one lasts 0.0 s."),
        (silence(1801), {}, "this one lasts 1801.0 s. Cut out the part that is danced."),
        (silence(10), {"parity": 2}, "The first strong beat is number 0 to 1; got 2."),
        (silence(10), {"parity": 3, "together": 3}, "The first strong beat is number 0 to 2; got 3."),
        (silence(10), {"tempo": "x3"}, "Beats can be taken at x1, x2, x0.5 of the tempo that is found; got 'x3'."),
    ],
)
def test_what_is_no_song_is_refused(sound: Audio, asked: dict[str, Any], said: str):
    with pytest.raises(InputError) as fault:
        find_beats(sound, **asked)
    assert said in str(fault.value)


def test_a_song_that_leaves_no_beat_is_refused(drummed: tuple[Audio, list[float]]):
    with pytest.raises(InputError, match=r"No beat was found in 12.0 s of sound. Choose another song, or set"):
        find_beats(drummed[0], offset=F(-60))


def test_times_are_told_to_the_millisecond_once_and_within_the_song():
    assert on_the_grain([-0.1, 0.0, 0.12345, 0.1231, 1.0, 1.1], F(1)) == (F(0), F(123, 1000), F(1))
    assert Beats((F(0), F(1, 2), F(1), F(3)), 0, 1.0).tempo == 120


class FakeNetwork:
    """As the package documents its `Audio2Beats`."""

    def __init__(self, checkpoint_path: str, device: str, dbn: bool) -> None:
        if Path(checkpoint_path).read_bytes() != b"tensors":
            raise ValueError("bad magic number")

    def __call__(self, signal: np.ndarray, sr: int) -> tuple[np.ndarray, np.ndarray]:
        assert signal.ndim == 1
        return np.array([0.52, 1.02, 1.5, 2.0, 2.52, 3.0]), np.array([1.02, 3.0])


def test_beat_this_tells_parity_by_downbeats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "beat_this", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "beat_this.inference", SimpleNamespace(Audio2Beats=FakeNetwork))
    with pytest.raises(ModelNotFound, match=r"no checkpoint of Beat This! at .*final0.ckpt. Download final0.ckpt"):
        BeatThis(tmp_path / "final0.ckpt")
    (tmp_path / "final0.ckpt").write_bytes(b"tensors")
    found = BeatThis(tmp_path / "final0.ckpt")(clicks(grid(120, 4), 4), progress=SILENT)
    assert found == Beats((F(13, 25), F(51, 50), F(3, 2), F(2), F(63, 25), F(3)), 1, 1.0)
    (tmp_path / "other.ckpt").write_bytes(b"pickle")
    with pytest.raises(ModelError, match="is no checkpoint of Beat This!: bad magic number"):
        BeatThis(tmp_path / "other.ckpt")


@pytest.mark.parametrize("package", ["librosa", "beat_this"])
def test_a_missing_package_is_named(package: str, drummed: tuple[Audio, list[float]], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"needs the package {package}.*keyweave\[{EXTRA_OF[package]}\]"):
        BeatThis(Path("final0.ckpt")) if package == "beat_this" else find_beats(drummed[0])
