"""The stages of a dance, each from files to a file: beats, labels, mirrored keyframes, the plan."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keyweave.base.errors import InputError
from keyweave.base.files import existing_file, put_aside, replacing_folder, write_text
from keyweave.base.progress import SILENT, Progress
from keyweave.base.recipe import sha256_of_file
from keyweave.media.clips import open_frames
from keyweave.media.info import describe
from keyweave.media.pictures.images import read_image, write_image
from keyweave.media.sound.audio import read_audio
from keyweave.perceive.beats import LONGEST, find_beats
from keyweave.perceive.flow import estimate_flow
from keyweave.perceive.listeners import LIBROSA, Listener
from keyweave.perceive.masks import read_masks, subject_masks
from keyweave.systems.dance.assignment import solve
from keyweave.systems.dance.files import BeatsFile, ChoreographyFile, Meter, PlanFile
from keyweave.systems.dance.graph import HIGH, LOW, measure_motions
from keyweave.systems.dance.labels import Label, read_labels, write_labels
from keyweave.systems.dance.motions import motion_of
from keyweave.systems.dance.naming import label_segments
from keyweave.systems.dance.segments import beats_together
from keyweave.systems.dance.wishes import check_range, check_wishes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from keyweave.media.types import Frame
    from keyweave.perceive.beats import Octave
    from keyweave.perceive.masks import Masker
    from keyweave.perceive.poses import JointTrack, PoseTracker, RotationTrack
    from keyweave.systems.dance.assignment import Plan
    from keyweave.systems.dance.mirror import Keyframes, Mirrored
    from keyweave.systems.dance.naming import Labelling

    Box = tuple[int, int, int, int]  # left, top, right and bottom, in pixels

_SAM = "sam:"
_MARKS = "made.json"  # checksums, by which it is seen what a person changed
_PIN = re.compile(r"(\D+)=(\d{1,4}m?)>(\d{1,4}m?)")


def beats_of(
    song: Path,
    *,
    listener: Listener = LIBROSA,
    tempo: Octave = "x1",
    offset: Fraction = Fraction(0),
    parity: int | None = None,
    meter: Meter = "4/4",
    asked: str = "",
    progress: Progress = SILENT,
) -> BeatsFile:
    """Find the beats of a song; see `perceive.beats.find_beats`."""
    _refuse_too_long(song)
    audio = read_audio(song)
    if audio is None:
        raise InputError(
            f"{song} has no sound, in which beats would be heard.",
            "Name a song, or a film that has one; or write beats by hand for `keyweave dance label --beats`.",
        )
    found = find_beats(
        audio,
        tracker=listener.tracker,
        tempo=tempo,
        offset=offset,
        parity=parity,
        together=beats_together(meter),
        progress=progress,
    )
    return BeatsFile(
        beats=found.times,
        parity=found.parity,
        meter=meter,
        heard_by=listener.mark,
        notes=found.notes,
        song=song.name,
        made_from=sha256_of_file(song),
        tempo=round(found.tempo, 2),
        asked=asked,
    )


def _refuse_too_long(song: Path) -> None:
    """Refuse hours of sound by what the file says of itself, before they are read."""
    lengths = [sound.duration for sound in describe(existing_file(song)).sounds]
    shortest = min((length for length in lengths if length is not None), default=Fraction(0))
    if shortest > LONGEST:
        minutes, seconds = divmod(round(shortest), 60)
        raise InputError(
            f"{song} lasts {minutes}:{seconds:02} minutes; a song to dance to lasts {LONGEST // 60} at most.",
            "Cut out the part that is danced.",
        )


def track_dancer(
    reference: Path, tracker: PoseTracker, *, crop: Box | None = None, progress: Progress = SILENT
) -> JointTrack:
    """Follow the dancer of a film, or of a part of its picture."""
    with open_frames(reference) as source:
        frames = _cropped(source.frames(), crop, (source.width, source.height))
        with progress.part("following the dancer", total=round(source.duration * source.rate)) as part:
            return tracker(frames, source.rate, progress=part)


def _cropped(frames: Iterator[Frame], crop: Box | None, size: tuple[int, int]) -> Iterator[Frame]:
    if crop is None:
        return frames
    left, top, right, bottom = crop
    if not (0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]):
        raise InputError(
            f"The part {','.join(map(str, crop))} does not lie in a picture of {size[0]}x{size[1]}.",
            "Give left, top, right and bottom in pixels.",
        )
    return (np.ascontiguousarray(frame[top:bottom, left:right]) for frame in frames)


def label_dance(
    track: JointTrack | RotationTrack,
    beats: BeatsFile,
    *,
    reference: Path,
    threshold: float | None = None,
    mirror_threshold: float | None = None,
    asked: str = "",
) -> tuple[ChoreographyFile, Labelling]:
    """Name the motions of a dance.

    Args:
        track: how the dancer moves.
        beats: of the song that is danced to.
        reference: the film of the dance.
        threshold: segments nearer than this are the same motion; found from the dance if not given.
        mirror_threshold: the same for mirror images.
        asked: in what words this was asked for.
    """
    spans = [(float(segment.start), float(segment.stop)) for segment in beats.segments()]
    found = label_segments(motion_of(track), spans, threshold=threshold, mirror_threshold=mirror_threshold)
    low, high = found.band
    return (
        ChoreographyFile(
            beats=beats.beats,
            parity=beats.parity,
            meter=beats.meter,
            heard_by=beats.heard_by,
            notes=beats.notes,
            labels=found.labels,
            reference=reference.name,
            made_from=sha256_of_file(reference),
            asked=asked,
            threshold=round(found.threshold, 4),
            mirror_threshold=round(found.mirror_threshold, 4),
            band=(round(low, 4), round(min(high, 9.0), 4)),
            unit=found.unit,
        ),
        found,
    )


@dataclass(frozen=True)
class Masks:
    """Who tells the subject from its background.

    Args:
        masker: who does.
        mark: the same for the same; empty where nothing was asked.
    """

    masker: Masker = subject_masks
    mark: str = ""


def masks_of(text: str | None, keyframes: Sequence[Path], *, progress: Progress = SILENT) -> Masks:
    """Return whose masks a person asked for: those in a folder, or those of sam:REF.

    Args:
        text: what was typed.
        keyframes: what they are of.
        progress: is told of what is downloaded.
    """
    if text is None:
        return Masks()
    if text.startswith(_SAM):
        from keyweave.perceive.sam import sam_masker  # noqa: PLC0415 - transformers is an extra

        masker = sam_masker(text.removeprefix(_SAM), progress=progress)
        return Masks(masker, f"{_SAM}{masker.found.ref}")
    masks = read_masks(Path(text), keyframes, [read_image(path).size for path in keyframes])
    return Masks(lambda _: masks, f"masks {sha256(np.packbits(masks).tobytes()).hexdigest()}")


def write_mirrored(made: Mirrored, folder: Path, *, overwrite: bool = False) -> Path | None:
    """Write keyframes before their shared background, and their mirrored ones, into a folder of their own.

    Returns:
        Where the folder went that was there before, if a person had changed something in it.
    """
    with replacing_folder(folder, overwrite=overwrite) as part:
        fill_with(made, part)
        return changed_put_aside(folder)


def changed_put_aside(folder: Path) -> Path | None:
    """Give a folder of mirrored keyframes another name if it is no longer as it was written; return that."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return None
    try:
        marks: dict[str, str] = json.loads((folder / _MARKS).read_text(encoding="utf-8"))
        there = {path.name: sha256_of_file(path) for path in folder.iterdir() if path.name != _MARKS}
    except (OSError, ValueError):
        return put_aside(folder)
    return None if there == marks else put_aside(folder)


def mirrored_in(folder: Path, count: int) -> list[Path]:
    """Return the pictures in a folder that `write_mirrored` wrote for so many keyframes; a person may have since."""
    paths = [folder / name for name in mirrored_names(count)]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise InputError(
            f"{folder} does not hold {count} keyframes and their mirrored ones: there is no {missing[0]}.",
            "`keyweave dance mirror` makes such a folder.",
        )
    return paths


def fill_with(made: Mirrored, folder: Path) -> None:
    """Write keyframes and their mirrored ones into a folder: 01.png, 01m.png, 02.png and so on."""
    for name, picture in zip(mirrored_names(len(made.pictures) // 2), made.pictures, strict=True):
        write_image(folder / name, picture)
    write_image(folder / "background.png", made.background)
    marks = {path.name: sha256_of_file(path) for path in sorted(folder.iterdir())}
    write_text(folder / _MARKS, json.dumps(marks, indent=2) + "\n")


def mirrored_names(count: int) -> list[str]:
    """Return the file names of so many keyframes, then of their mirrored ones."""
    digits = max(2, len(str(count)))
    return [f"{number:0{digits}}{mark}.png" for mark in ("", "m") for number in range(1, count + 1)]


def _unused(plan: Plan, made: Keyframes, wishes: Wishes) -> Iterator[str]:
    """Say so where the smoothest plan is a dull one: near-duplicates are what moves least from one to the next."""
    count = len(made.pictures) // 2
    used = len({number % count for pair in plan.pairs.values() for number in pair})
    room = 2 * len({label.name for label in plan.pairs})  # what the labels could use
    if wishes.least_transition == 0 and 2 * used <= min(count, room):
        yield f"Of {count} keyframes {used} are danced, for they are nearest to each other; --transition 20 moves more."


@dataclass(frozen=True)
class Wishes:
    """What a person asks of a plan.

    Args:
        low: within a segment the subject moves more than this, in pixels of a picture of 576 rows.
        high: and less than this.
        least_transition: between segments it should move as much, if that can be.
        pins: keyframes that labels must have, counted from 0.
        mirrored_poses: names of labels that end in the mirrored pose of their beginning.
        seconds: after which to settle for the best plan so far.
    """

    low: float = LOW
    high: float = HIGH
    least_transition: float = 0.0
    pins: Mapping[Label, tuple[int, int]] | None = None
    mirrored_poses: tuple[str, ...] = ()
    seconds: float = 60.0

    def check(self, labels: Sequence[Label] | None = None, keyframes: int = 2) -> None:
        """Refuse what cannot be, before keyframes are compared for minutes.

        Args:
            labels: the choreography, once it is known.
            keyframes: how many there are, without the mirrored ones.
        """
        check_range(self.low, self.high)
        if not 0 <= self.least_transition < math.inf:
            raise InputError(f"The least transition is 0 pixels or more; got {self.least_transition:g}.")
        if not 0 < self.seconds < math.inf:
            raise InputError(f"A plan takes more than 0 seconds; got {self.seconds:g}.")
        if labels is not None:
            mirror = np.roll(np.arange(2 * keyframes), keyframes)
            check_wishes(labels, mirror, self.pins or {}, self.mirrored_poses)

    @property
    def words(self) -> str:
        """The wishes in words, the same for the same."""
        pins = " ".join(f"{label}={a + 1}>{b + 1}" for label, (a, b) in sorted((self.pins or {}).items()))
        poses = ",".join(sorted(self.mirrored_poses))
        return f"motion {self.low:g}:{self.high:g} transition {self.least_transition:g} pins [{pins}] poses [{poses}]"


def plan_dance(
    labels: Sequence[Label],
    made: Keyframes,
    pictures: Sequence[Path],
    folder: Path,
    *,
    flipped: bool = True,
    made_from: Sequence[str] = (),
    wishes: Wishes | None = None,
    progress: Progress = SILENT,
) -> tuple[PlanFile, Plan]:
    """Choose the keyframes of each label.

    Args:
        labels: the choreography.
        made: the keyframes and their mirrored ones.
        pictures: the files that hold these.
        folder: where the plan will lie, from which it names them.
        flipped: whether mirrored subjects are the others flipped, so that half of the motions are known.
        made_from: checksums of the keyframes as they were given.
        wishes: what else is asked.
        progress: a part of the job.
    """
    wishes = wishes or Wishes()
    frames = [picture.pixels for picture in made.pictures]
    flow = partial(estimate_flow, preset="fast")
    motions = measure_motions(frames, list(made.masks), made.mirror, flow, flipped=flipped, progress=progress)
    plan = solve(
        labels,
        motions,
        made.mirror,
        low=wishes.low,
        high=wishes.high,
        pins=wishes.pins,
        mirrored_pose_labels=wishes.mirrored_poses,
        least_transition=wishes.least_transition,
        seconds=wishes.seconds,
    )
    return (
        PlanFile(
            labels=tuple(labels),
            pictures=tuple(os.path.relpath(path, folder).replace(os.sep, "/") for path in pictures),
            pairs={str(label): (first + 1, last + 1) for label, (first, last) in plan.pairs.items()},
            made_from=tuple(made_from),
            asked=wishes.words,
            relaxed=plan.relaxed,
            cost=round(plan.cost, 3),
            proved=plan.proved,
            gap=round(plan.gap, 4),
            notes=(*made.notes, *_unused(plan, made, wishes)),
        ),
        plan,
    )


def read_pins(texts: Sequence[str], count: int) -> dict[Label, tuple[int, int]]:
    """Read pins such as A=2>5 or B=1>3m, whose numbers count keyframes from 1.

    An m tells of mirrored ones, which may also be counted on after the others, as plans do.
    """
    pins = {}
    for text in texts:
        found = _PIN.fullmatch(text.replace(" ", ""))
        if found is None:
            raise InputError(
                f"--pin is {text!r}.", "Write a label and its two keyframes: A=2>5, or B=1>3m for the mirrored third."
            )
        (label,) = read_labels(found[1])
        if label in pins:
            raise InputError(f"--pin {text!r} gives keyframes to {label} a second time.", "Pin each label once.")
        pins[label] = (_keyframe(found[2], count), _keyframe(found[3], count))
    return pins


def _keyframe(text: str, count: int) -> int:
    mirrored = text.endswith("m")
    number = int(text.removesuffix("m"))
    if not 1 <= number <= (count if mirrored else 2 * count):
        raise InputError(f"A pin names keyframe {text}; there are 1 to {count}, and 1m to {count}m.")
    return number - 1 + count * mirrored


def story(plan: PlanFile) -> str:
    """Tell a plan in one line."""
    quality = "no plan is smoother" if plan.proved else f"a plan may be {plan.gap:.0%} smoother"
    return f"{write_labels(plan.labels)}: transitions move {plan.cost:.0f} px, {quality}"
