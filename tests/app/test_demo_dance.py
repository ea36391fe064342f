"""The demo of dancing, measured from its files: the labels that were drawn, keyframes on beats, the song in time."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as PillowImage

from keyweave.app.dance_stages import job_of
from keyweave.app.demo_dance import LABELS, TEMPO, make_dance_demo
from keyweave.app.jobs import run_job
from keyweave.systems.dance.files import ChoreographyFile, PlanFile, pictures_of, read_file
from keyweave.systems.dance.labels import write_labels

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

SIDE = 160
ALIKE = 0.1  # levels by which coding makes frames differ that show the same
REACH = 0.4  # of a beat, before and after it, where its keyframe is looked for
TINY = 1e-6


@dataclass(frozen=True)
class Made:
    """What the demo left behind."""

    folder: Path
    song: Path
    choreography: ChoreographyFile
    plan: PlanFile
    labels: str

    @property
    def beats(self) -> list[Fraction]:
        """The beats on which keyframes are shown."""
        return [at for segment in self.choreography.segments() for at in (segment.start, segment.stop)]

    def pictures(self) -> list[np.ndarray]:
        """The keyframe of each beat, made small by another library than the film's."""
        paths = pictures_of(self.plan, self.folder / "dance.dance")
        images = [PillowImage.open(paths[number - 1]).convert("RGB") for number in self.plan.walk]
        return [np.asarray(image.resize((SIDE, SIDE), PillowImage.Resampling.BOX), np.float32) for image in images]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("demo")
    danced = make_dance_demo(folder)
    (song,) = (folder / "dancer").glob("*/clip.mp4")
    choreography = read_file(danced.folder / "choreography.json", ChoreographyFile)
    plan = read_file(danced.folder / "plan.json", PlanFile)
    return Made(folder, song, choreography, plan, write_labels(danced.labels))


def shown(film: Path) -> tuple[np.ndarray, np.ndarray]:
    """When each frame of a film is shown, in seconds, and the frames."""
    with av.open(str(film)) as container:
        frames = list(container.decode(container.streams.video[0]))
    return np.array([frame.time for frame in frames]), np.stack(
        [frame.to_ndarray(format="rgb24") for frame in frames]
    ).astype(np.float32)


def heard(path: Path) -> tuple[np.ndarray, int]:
    """What is heard from 0 s on, of all channels together, and its sample rate; before late sound there is silence."""
    with av.open(str(path)) as container:
        frames = list(container.decode(container.streams.audio[0]))
    rate = frames[0].sample_rate
    sound = np.concatenate([frame.to_ndarray().reshape(-1, frame.samples).mean(axis=0) for frame in frames])
    return np.pad(sound, (round((frames[0].time or 0) * rate), 0)), rate


def lag(sound: np.ndarray, song: np.ndarray, rate: int) -> float:
    """How many seconds later a sound comes than another, by the highest point of their correlation."""
    size = 1 << int(np.ceil(np.log2(len(sound) + len(song))))
    product = np.fft.rfft(sound, size) * np.conj(np.fft.rfft(song, size))
    late = int(np.fft.irfft(product, size).argmax())
    return (late - size if late > size // 2 else late) / rate


def test_the_labels_are_those_that_were_drawn(made: Made):
    assert made.labels == LABELS
    assert write_labels(made.plan.labels) == LABELS


@pytest.mark.parametrize("rate", [24, 25, 30, 60])
@pytest.mark.parametrize("strength", [0, 1])
def test_keyframes_are_on_their_beats_and_the_song_is_in_time(made: Made, tmp_path: Path, rate: int, strength: int):
    """Of a steady fade only one frame is nearest to a keyframe; with the waiting of a dance those around it are too."""
    film = tmp_path / "film.mp4"
    given = {"fps": rate, "size": f"{SIDE}x{SIDE}", "strength": strength, "crf": 4}
    plan = made.folder / "dance.dance" / "plan.json"
    job, notes = job_of(plan, made.choreography, made.song, given=given, engine="crossfade", seed=1, output=film)
    assert notes == ()
    run_job(job)
    times, frames = shown(film)
    assert len(times) == len(frames)
    pictures, beats = made.pictures(), [float(at) for at in made.beats]
    late = []
    for number, (beat, picture) in enumerate(zip(beats, pictures, strict=True)):
        near = np.flatnonzero(np.abs(times - beat) < REACH * 60 / TEMPO)
        far = np.abs(frames[near] - picture).mean(axis=(1, 2, 3))
        within = np.abs(times[near] - beat) <= 0.5 / rate + TINY
        assert far[within].min() <= far.min() + ALIKE, f"beat {number}"
        comes = 0 < number < len(beats) - 1 and all((pictures[number + k] != picture).any() for k in (-1, 1))
        if comes and strength == 0:
            late.append(float(abs(times[near][far.argmin()] - beat)))
    assert strength or (len(late) >= len(beats) / 2 and max(late) <= 0.5 / rate + TINY)

    (sound, rate_of_sound), (song, rate_of_song) = heard(film), heard(made.song)
    assert rate_of_sound == rate_of_song
    assert abs(lag(sound, song, rate_of_song)) <= 0.001
