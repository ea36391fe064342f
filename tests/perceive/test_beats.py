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

from keyweave.base.errors import InputError, KeyweaveError, MissingExtra, ModelError, ModelNotFound
from keyweave.base.extras import EXTRA_OF
from keyweave.base.progress import SILENT, Event, Progress
from keyweave.base.recipe import sha256_of_file
from keyweave.media.types import Audio
from keyweave.perceive.beat_this import BeatThis
from keyweave.perceive.beats import Beats, find_beats, on_the_grain
from keyweave.perceive.listeners import LIBROSA, listener_of
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


def hiss(level: float, seconds: float) -> Audio:
    chance = np.random.default_rng(4)
    return Audio((level * chance.standard_normal((int(seconds * RATE), 1))).astype(np.float32), RATE)


def talk(seed: int, seconds: float) -> Audio:
    """Words of voiced syllables with consonants between them, and pauses."""
    chance, events, at = np.random.default_rng(seed), list[tuple[float, np.ndarray]](), 0.2
    while at < seconds - 2:
        for _ in range(chance.integers(2, 7)):
            t = np.arange(int(chance.uniform(0.08, 0.25) * RATE)) / RATE
            pitch = chance.uniform(100, 220)
            voice = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in range(1, 20)) * np.hanning(len(t))
            events.append((at, 0.1 * voice))
            at += len(t) / RATE
            if chance.random() < 0.5:
                events.append((at, 0.05 * chance.standard_normal(int(0.04 * RATE))))
            at += chance.uniform(0, 0.08)
        at += chance.uniform(0.15, 0.7)
    return played(events, seconds)


def mixed(*sounds: Audio) -> Audio:
    return Audio(np.sum([sound.samples for sound in sounds], axis=0), RATE)


@pytest.mark.parametrize(
    ("sound", "said"),
    [
        (clicks([4.0], 9), "Something sets in only 1 time, and beats need 4 or more."),
        (clicks([3.0, 6.3], 9), "Something sets in only 2 times, and beats need 4 or more."),
        (clicks([2.0, 4.0, 7.3], 9), "Something sets in only 3 times"),
        (played([(0.0, 0.3 * np.sin(900 * np.arange(8 * RATE) / RATE))], 9), "and beats need 4 or more"),
        (mixed(clicks([4.0], 9), hiss(1e-3, 9)), "Little of this sound repeats from beat to beat (0.0"),
        (mixed(clicks([3.0, 6.3], 9), hiss(1e-3, 9)), "Little of this sound repeats from beat to beat (0.0"),
        (hiss(0.1, 10), "where songs have 0.25 or more); it may be speech or noise."),
        (hiss(3e-4, 10), "it may be speech or noise."),
        (talk(3, 12), "it may be speech or noise."),
    ],
    ids=["one", "two", "three", "tone", "one in noise", "two in noise", "noise", "faint noise", "talk"],
)
def test_where_there_is_no_evidence_no_beat_is_invented(sound: Audio, said: str):
    with pytest.raises(InputError) as fault:
        find_beats(sound)
    assert fault.value.message.startswith(f"No beat was found in {float(sound.duration):.1f} s of sound. ")
    assert said in fault.value.message
    hint = fault.value.hint
    assert hint is not None
    assert '{"keyweave beats": 1, "beats": [0.5, 1.0, 1.5]}' in hint  # which the command line takes, as tested there


@pytest.mark.parametrize(
    ("known", "seconds"),
    [(grid(60, 5), 5), (grid(120, 3.2), 3.2), (grid(120, 30, start=20.2), 30), (grid(110, 8), 40)],
    ids=["four slow ones", "three seconds", "after a silence", "before one"],
)
def test_few_beats_are_enough(known: list[float], seconds: float):
    found = find_beats(mixed(drums(known, seconds), hiss(1e-4, seconds)))
    assert len(misses(found, known)) >= 0.8 * len(known)


def test_what_hardly_repeats_is_doubted():
    """A piano that hurries and waits."""
    chance, t = np.random.default_rng(4), np.arange(int(1.2 * RATE)) / RATE
    starts = 0.5 + np.cumsum(0.5 * np.exp(chance.normal(0, 0.2, 34)))
    strings = 220 * 2 ** (chance.integers(0, 24, 34) / 12)
    tone = [0.3 * sum(np.sin(2 * np.pi * f * k * t) / k**2 for k in (1, 2, 3, 4)) * np.exp(-3 * t) for f in strings]
    (note, *_) = find_beats(played(list(zip(starts, tone, strict=True)), starts[-1] + 1.3)).notes
    assert "Little of this sound repeats from beat to beat (0." in note


def test_moments_are_counted_in_clicks():
    for known in ([4.0], grid(100, 4), grid(100, 9)):
        assert listen(clicks(known, 9), SILENT).moments() == pytest.approx(len(known), rel=0.2)
    assert flat_pulse(np.zeros(100)).moments() == 0


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
    with pytest.raises(InputError, match="Moved by -60 s, the beats leave the song. Choose another offset."):
        find_beats(drummed[0], offset=F(-60))


def test_times_are_told_to_the_millisecond_once_and_within_the_song():
    assert on_the_grain([-0.1, 0.0, 0.12345, 0.1231, 1.0, 1.1], F(1)) == (F(0), F(123, 1000), F(1))
    assert Beats((F(0), F(1, 2), F(1), F(3)), 0, 1.0).tempo == 120


class FakeNetwork:
    """As the package documents its `Audio2Beats`; its beats are two a second, every fourth the first of a bar."""

    def __init__(self, checkpoint_path: str, device: str, dbn: bool) -> None:
        if Path(checkpoint_path).read_bytes() != b"tensors":
            raise ValueError("bad magic number")

    def __call__(self, signal: np.ndarray, sr: int) -> tuple[np.ndarray, np.ndarray]:
        assert signal.ndim == 1
        return np.array([0.52, 1.02, 1.5, 2.0, 2.52, 3.0]), np.array([1.02, 3.0])


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Beat This! as if it were installed, and its checkpoint."""
    monkeypatch.setitem(sys.modules, "beat_this", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "beat_this.inference", SimpleNamespace(Audio2Beats=FakeNetwork))
    (tmp_path / "final0.ckpt").write_bytes(b"tensors")
    return tmp_path / "final0.ckpt"


def test_beat_this_tells_parity_by_downbeats(checkpoint: Path):
    sound, tracker = clicks(grid(120, 4), 4), BeatThis(checkpoint)
    times = (F(13, 25), F(51, 50), F(3, 2), F(2), F(63, 25), F(3))
    assert find_beats(sound, tracker=tracker) == Beats(times, 1, 1.0)
    assert find_beats(sound, tracker=tracker, tempo="x0.5").times == times[1::2]
    twice = find_beats(sound, tracker=tracker, tempo="x2")
    assert twice.times[::2] == times
    assert (twice.parity, twice.sureness) == (0, 1.0)  # the downbeats are the third and the last of eleven
    later = find_beats(sound, tracker=tracker, offset=F(-1, 50), parity=0)
    assert later.times == tuple(at - F(1, 50) for at in times)
    assert (later.parity, later.sureness) == (0, -1.0)


def test_beat_this_in_three(monkeypatch: pytest.MonkeyPatch, checkpoint: Path):
    beats = np.arange(12) / 2
    monkeypatch.setattr(FakeNetwork, "__call__", lambda *_: (beats, beats[2::3]))
    sound = clicks(grid(120, 6), 6)
    assert find_beats(sound, tracker=BeatThis(checkpoint), together=3).parity == 2
    (note,) = find_beats(sound, tracker=BeatThis(checkpoint)).notes
    assert "this may be in 3/4" in note


def test_beat_this_that_hears_nothing_says_so(monkeypatch: pytest.MonkeyPatch, checkpoint: Path):
    monkeypatch.setattr(FakeNetwork, "__call__", lambda *_: (np.zeros(0), np.zeros(0)))
    with pytest.raises(InputError, match="No beat was found in 4.0 s of sound"):
        find_beats(clicks([1.0], 4), tracker=BeatThis(checkpoint))
    monkeypatch.setattr(FakeNetwork, "__call__", lambda *_: (np.arange(8) / 2, np.zeros(0)))
    assert "hard to hear" in find_beats(clicks([1.0], 4), tracker=BeatThis(checkpoint)).notes[0]


def test_who_listens_is_named_with_their_checkpoint(checkpoint: Path):
    assert listener_of("librosa") == LIBROSA
    found = listener_of(f"beat-this:{checkpoint}")
    assert isinstance(found.tracker, BeatThis)
    assert found.mark == f"beat-this:final0.ckpt {sha256_of_file(checkpoint)}"


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        (
            "beat-this",
            ModelNotFound,
            "Beat This! needs its checkpoint. Download final0.ckpt as the page of the package",
        ),
        ("beat-this:", ModelNotFound, "Beat This! needs its checkpoint."),
        ("beat-this:none.ckpt", ModelNotFound, "There is no checkpoint of Beat This! at none.ckpt. Download final0"),
        ("beat-this:{}/other.ckpt", ModelError, "other.ckpt is no checkpoint of Beat This!: bad magic number."),
        ("madmom", InputError, "Beats are found by librosa or beat-this:FILE; got 'madmom'."),
        ("librosa:x", InputError, "Beats are found by librosa or beat-this:FILE; got 'librosa:x'."),
    ],
)
def test_who_cannot_listen_is_refused(checkpoint: Path, text: str, error: type[KeyweaveError], said: str):
    checkpoint.with_name("other.ckpt").write_bytes(b"pickle")
    with pytest.raises(error) as fault:
        listener_of(text.format(checkpoint.parent))
    assert said in str(fault.value)


def test_what_beat_this_itself_does_not_find_is_no_damage(checkpoint: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "beat_this.inference", None)
    with pytest.raises(ModuleNotFoundError):
        BeatThis(checkpoint)


@pytest.mark.parametrize("package", ["librosa", "beat_this"])
def test_a_missing_package_is_named(package: str, drummed: tuple[Audio, list[float]], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"needs the package {package}.*keyweave\[{EXTRA_OF[package]}\]"):
        BeatThis(Path("final0.ckpt")) if package == "beat_this" else find_beats(drummed[0])
