"""Keep parts of a film, in any order: picture and sound in one pass, on one clock."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from keyweave.base.errors import InputError, MediaError
from keyweave.base.files import refuse_existing, replacing
from keyweave.base.progress import SILENT, Progress
from keyweave.media.clips import is_sequence, open_frames
from keyweave.media.films.film_writer import EXACT_TICK, FilmWriter
from keyweave.media.limits import Limits
from keyweave.media.sniff import sniff
from keyweave.media.sound.audio import joined
from keyweave.media.sound.track import BLOCK, Flow, Track, find_track, sample_at
from keyweave.media.writers import FORMATS, check_comment, check_crf, format_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from keyweave.media.films.film_writer import Container
    from keyweave.media.source import FrameSource
    from keyweave.media.types import Frame, Samples

# What lies between two ranges is read too, if it is shorter than this; farther, to seek costs less. Sound is decoded
# hundreds of times faster than it is heard, and some files can be searched only from their beginning.
_PICTURE_LEAP = Fraction(5)
_SOUND_LEAP = Fraction(600)

# A part of a frame that is shorter than this part of a period would only flicker.
_FLICKER = Fraction(1, 4)


@dataclass(frozen=True)
class Cut:
    """What became of the ranges that were kept.

    Args:
        duration: seconds of all ranges together.
        joins: when, in the new film, each range but the first begins.
        notes: what could not be kept as it was, in sentences.
    """

    duration: Fraction
    joins: tuple[Fraction, ...]
    notes: tuple[str, ...] = ()


class Kept(NamedTuple):
    """A range of the source, and when it begins in what is made."""

    start: Fraction
    stop: Fraction
    at: Fraction


def cut_and_join(
    source: Path,
    ranges: Sequence[tuple[Fraction, Fraction]],
    output: Path,
    *,
    crf: int | None = None,
    comment: str | None = None,
    overwrite: bool = False,
    limits: Limits | None = None,
    progress: Progress = SILENT,
) -> Cut:
    """Write a film of the given ranges of another, one after another in the order given.

    Every frame keeps its exact time, so variable rates stay as they are; sound is cut at the sample and made smooth
    for 3 ms where ranges meet that did not follow one another. Neither drifts, however many the ranges.

    Args:
        source: a film, an animation, or a folder of pictures.
        ranges: start and stop of each part to keep, in seconds; what is on screen at a start is shown from there.
        output: ends in .mp4, .webm or .mov.
        crf: the encoder's quality number, lower is better; None for its default.
        comment: a text kept in the file.
        overwrite: replace a file that is there.
        limits: how large the source may be.
        progress: told how many seconds are done.

    Raises:
        InputError: a range or the output does not suit.
        MediaError: the source cannot be read, or the disk refuses the output.
    """
    container = _container(output)
    form = format_of(output)
    check_crf(form, output, crf)
    check_comment(form, comment)
    refuse_existing(output, overwrite=overwrite)
    limits = limits or Limits.from_environment()
    with open_frames(source, limits=limits) as film:
        placed = _placed(ranges, source, film)
        kept, duration = _merged(placed), _duration(placed)
        silent = is_sequence(source) or sniff(source).family == "picture"
        track = None if silent else find_track(source, limits)
        with (
            replacing(output, overwrite=overwrite) as part,
            FilmWriter(
                part,
                container,
                width=film.width,
                height=film.height,
                has_alpha=film.has_alpha,
                rate=film.rate,
                sound=(track.rate, track.channels) if track else None,
                crf=crf,
                comment=comment,
                times="exact",
            ) as writer,
            progress.part("cutting", total=float(duration)) as done,
        ):
            _write(film, track, kept, writer, done)
        return Cut(duration, tuple(one.at for one in placed[1:]), writer.notes)


def _container(output: Path) -> Container:
    form = format_of(output)
    if form.container is None:
        films = ", ".join(ending for ending, other in FORMATS.items() if other.container)
        raise InputError(
            f"{form.name} holds no exact times and no sound; a cut's name must end in {films}.", "Choose one of these."
        )
    return form.container


def _placed(ranges: Sequence[tuple[Fraction, Fraction]], source: Path, film: FrameSource) -> list[Kept]:
    """Place ranges one after another; refuse those that cannot be kept."""
    if not ranges:
        raise InputError("No range to keep was given.", "Give the start and stop of one or more.")
    placed: list[Kept] = []
    at = Fraction(0)
    for number, (start, stop) in enumerate(ranges, 1):
        if not (_is_finite(start) and _is_finite(stop)):
            raise InputError(f"Range {number} is not made of finite numbers.", "Give start and stop in seconds.")
        name = f"Range {number} ({float(start):g} to {float(stop):g} s)"
        if start >= stop:
            raise InputError(f"{name} does not stop after it starts.", "Give the earlier time first.")
        # How long a last frame lasts is often a guess.
        if start < 0 or start >= film.duration or stop > film.duration + 1 / film.rate:
            raise InputError(f"{name} does not lie within {source}, which lasts {float(film.duration):.3f} s.")
        placed.append(Kept(Fraction(start), Fraction(stop), at))
        at += placed[-1].stop - placed[-1].start
    return placed


def _is_finite(seconds: Fraction) -> bool:
    try:
        return isfinite(seconds)
    except OverflowError:
        return False


def _merged(placed: list[Kept]) -> list[Kept]:
    """Make one of ranges that follow one another without a gap: where they meet there is no join."""
    merged = placed[:1]
    for one in placed[1:]:
        if one.start == merged[-1].stop:
            merged[-1] = merged[-1]._replace(stop=one.stop)
        else:
            merged.append(one)
    return merged


def _duration(kept: list[Kept]) -> Fraction:
    return kept[-1].at + kept[-1].stop - kept[-1].start


def _write(film: FrameSource, track: Track | None, kept: list[Kept], writer: FilmWriter, done: Progress) -> None:
    """Write frames and sound side by side, so that neither has to be held."""
    rate, channels = (track.rate, track.channels) if track else (1, 1)
    sound = Flow(kept_sound(track, kept) if track else (), channels)
    duration = _duration(kept)
    heard = 0
    before = Fraction(0)
    frame = None
    for at, frame in kept_frames(film, kept):
        for part in sound.take(sample_at(at, rate) - heard):
            writer.hear(part)
            heard += len(part)
        writer.add(frame, at)
        done.step(float(at - before))
        before = at
    if frame is None:
        raise MediaError("The ranges to keep hold no picture.")
    if duration - before >= (1 + _FLICKER) / film.rate:
        # The last frame of a film lasts for one period of its rate; one that is held for longer is shown again.
        writer.add(frame, duration - 1 / film.rate)
    for block in sound.in_blocks(BLOCK):
        writer.hear(block)


def kept_frames(film: FrameSource, kept: list[Kept]) -> Iterator[tuple[Fraction, Frame]]:
    """Yield the frames with the times at which they are shown; there is one at 0.

    Where a range leaves too little of a frame, the one before it stays on screen.
    """
    least, flicker = 2 * EXACT_TICK, _FLICKER / film.rate
    begun = False
    for run in _runs(kept, _PICTURE_LEAP):
        due = 0
        for item in film.shown(run[0].start, run[-1].stop):
            while due < len(run) and run[due].stop <= item.start:
                due += 1
            for one in run[due:]:
                if one.start >= item.stop:
                    break
                start, stop = max(item.start, one.start), min(item.stop, one.stop)
                whole = (start, stop) == (item.start, item.stop)
                if stop - start >= (least if whole or not begun else flicker):
                    yield one.at + start - one.start if begun else Fraction(0), item.frame
                    begun = True


def kept_sound(track: Track, kept: list[Kept]) -> Iterator[Samples]:
    """Yield the sound of the ranges; each begins at the sample nearest to its place, so nothing adds up."""
    begins = [sample_at(at, track.rate) for at in (*(one.at for one in kept), _duration(kept))]
    lengths = [after - before for before, after in pairwise(begins)]
    return joined(Flow(_pieces(track, kept, lengths), track.channels), lengths, track.rate)


def _pieces(track: Track, kept: list[Kept], lengths: list[int]) -> Iterator[Samples]:
    counts = iter(lengths)
    for run in _runs(kept, _SOUND_LEAP):
        spans = [(sample_at(one.start, track.rate), next(counts)) for one in run]
        at = spans[0][0]
        # Of ranges less than a sample apart the second may come a sample late.
        flow = Flow(track.span(at, sum(spans[-1]) + len(run)), track.channels)
        for first, count in spans:
            for left_out in flow.take(first - at):
                at += len(left_out)
            yield from flow.take(count)
            at += count


def _runs(kept: list[Kept], leap: Fraction) -> Iterator[list[Kept]]:
    """Group ranges that are best read in one go: rising, and near one another."""
    run = kept[:1]
    for one in kept[1:]:
        if not 0 <= one.start - run[-1].stop <= leap:
            yield run
            run = []
        run.append(one)
    yield run
