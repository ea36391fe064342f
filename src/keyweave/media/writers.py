"""The one door for clips on their way out: films, animations and numbered pictures, chosen by the name's ending."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from math import floor
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from PIL import features

from keyweave.base.errors import InputError, MediaError
from keyweave.base.files import refuse_existing, replacing
from keyweave.media.comments import MOST_BYTES
from keyweave.media.encoders import FLATTENED, has_encoder, no_encoder
from keyweave.media.films.fillings import FILLINGS
from keyweave.media.films.film_writer import FilmWriter
from keyweave.media.pictures.animation_writer import write_apng, write_webp
from keyweave.media.pictures.gif_writer import ENCODER as GIF_ENCODER
from keyweave.media.pictures.gif_writer import write_gif
from keyweave.media.pictures.sequence_writer import check_pattern, check_place, replacing_sequence, write_pictures
from keyweave.media.sound.track import Flow, sample_at
from keyweave.media.types import Audio, Sound
from keyweave.media.uniform import alike

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from keyweave.media.films.fillings import Container, Quality
    from keyweave.media.types import Frame

T = TypeVar("T")

_PILLOWS_WEBP = "webp"
_SLOWEST, _FASTEST = Fraction(1, 600), Fraction(1000)
_UNNOTICED = Fraction(1, 10)  # seconds of sound after the last frame that need no mention
_MOST_RATIO = 1_000_000  # numerator and denominator of a rate; beyond, not every container holds it exactly


@dataclass(frozen=True)
class OutputFormat:
    """What can be written, and what it can hold.

    Args:
        name: what people call it.
        holds_sound: whether sound is kept.
        holds_alpha: whether alpha is kept, be it only "shown or not".
        longest_side: pixels.
        encoders: what FFmpeg (or Pillow) must have been built with.
        container: of a film; None for animations and pictures.
        numbered: whether each frame is a picture of its own.
        longest_comment: bytes.
    """

    name: str
    holds_sound: bool
    holds_alpha: bool
    longest_side: int
    encoders: tuple[str, ...] = ()
    container: Container | None = None
    numbered: bool = False
    longest_comment: int = MOST_BYTES

    @property
    def crf(self) -> Quality | None:
        """The quality numbers that can be asked for; None where there are none."""
        return FILLINGS[self.container].crf if self.container else None


def _film(container: Container, longest_side: int) -> OutputFormat:
    filling = FILLINGS[container]
    holds_alpha = filling.pixels_with_alpha is not None
    return OutputFormat(filling.name, True, holds_alpha, longest_side, filling.encoders, container)


_JPEG = OutputFormat("JPEG", False, False, 65_500, numbered=True, longest_comment=65_533)
FORMATS: dict[str, OutputFormat] = {
    ".mp4": _film("mp4", 16_384),
    ".webm": _film("webm", 16_384),
    ".mov": _film("mov", 16_384),
    ".gif": OutputFormat("GIF", False, True, 65_535, (GIF_ENCODER,)),
    ".apng": OutputFormat("APNG", False, True, 2**31 - 1),
    ".webp": OutputFormat("WebP", False, True, 16_383, (_PILLOWS_WEBP,)),
    ".png": OutputFormat("PNG", False, True, 2**31 - 1, numbered=True),
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
}


@dataclass(frozen=True)
class Written:
    """What was written.

    Args:
        path: the file, or the pattern of the pictures' names.
        frames: how many it holds.
        width: columns, as they are in the file.
        height: rows.
        duration: seconds.
        notes: what could not be kept as it was, in sentences.
    """

    path: Path
    frames: int
    width: int
    height: int
    duration: Fraction
    notes: tuple[str, ...] = ()


def write_clip(
    path: Path,
    frames: Iterable[Frame],
    rate: Fraction,
    *,
    sound: Audio | Sound | None = None,
    crf: int | None = None,
    comment: str | None = None,
    overwrite: bool = False,
) -> Written:
    """Write a clip whole or not at all; memory does not grow with its length.

    The same frames and settings give the same bytes. What the format cannot hold is told in `notes`, never kept quiet.

    Args:
        path: ends in .mp4, .webm, .mov, .gif, .apng or .webp, or is a pattern such as out/%05d.png or out/%05d.jpg
            for pictures numbered from 1 in a folder of their own.
        frames: (H, W, 3 or 4) each; the first decides size and alpha.
        rate: frames per second.
        sound: heard from the first frame on, cut at the end of the last.
        crf: the quality number of .mp4 and .webm, lower is better; None for the default.
        comment: a text kept in the file, which `read_comment` finds again.
        overwrite: replace what is there; of a folder, only an earlier sequence of the same pattern.

    Raises:
        InputError: the ending, the rate, the crf or a frame does not suit, or there is something already.
        MediaError: the disk or an encoder refuses.
    """
    form = format_of(path)
    _check_rate(rate)
    check_crf(form, path, crf)
    check_comment(form, comment)
    clip = _Incoming(frames, rate, sound if form.holds_sound else None)
    try:
        with _place(form, path, overwrite=overwrite) as place:
            made = _write(form, place, clip, crf=crf, comment=comment)
    except MediaError:
        if clip.fault:
            raise clip.fault from None
        raise
    if sound is not None and not form.holds_sound:
        made.notes.append(f"{form.name} holds no sound: it was left out.")
    return Written(path, made.frames, made.width, made.height, clip.given / rate, tuple(made.notes))


def format_of(path: Path) -> OutputFormat:
    """Tell in which format a clip of that name is written; raise if in none."""
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise InputError(
            f"{path} cannot be written: a clip's name must end in {', '.join(FORMATS)}.", "Choose one of these."
        )
    lacking = next(_lacking(form), None)
    if lacking:
        raise no_encoder(str(path), lacking)
    if form.numbered:
        check_pattern(path)
    return form


def check_free(path: Path, *, overwrite: bool) -> None:
    """Refuse a name that no format has, and a place that is taken, before a clip is made for it."""
    if format_of(path).numbered:
        check_place(path, overwrite=overwrite)
    else:
        refuse_existing(path, overwrite=overwrite)


def is_numbered(path: Path) -> bool:
    """Tell whether a clip of that name is written as numbered pictures, which take the place of their folder."""
    form = FORMATS.get(path.suffix.lower())
    return form is not None and form.numbered


def missing_encoders() -> dict[str, str]:
    """Name, by ending, the encoder that keeps this installation from writing a format."""
    return {ending: lacking for ending, form in FORMATS.items() if (lacking := next(_lacking(form), None))}


class _Incoming:
    """A clip on its way in: its frames alike and counted, its own faults told from those of writing."""

    def __init__(self, frames: Iterable[Frame], rate: Fraction, sound: Audio | Sound | None) -> None:
        self.rate = rate
        self.given = 0
        self.fault: OSError | None = None
        self._frames = alike(self._watched(frames))
        if isinstance(sound, Audio):
            sound = Sound([sound.samples], sound.rate, sound.channels)
        self.sound = sound and replace(sound, blocks=self._watched(sound.blocks))

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._frames:
            self.given += 1
            yield frame

    def _watched(self, items: Iterable[T]) -> Iterator[T]:
        try:
            yield from items
        except OSError as fault:
            self.fault = fault
            raise


class _Made(NamedTuple):
    frames: int
    width: int
    height: int
    notes: list[str]


@contextmanager
def _place(form: OutputFormat, path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield the temporary name, of a file or a pattern, that takes the place of `path` when all is well."""
    if form.numbered:
        with replacing_sequence(path, overwrite=overwrite) as pattern:
            yield pattern
    else:
        with replacing(path, overwrite=overwrite) as part:
            yield part


def _write(form: OutputFormat, place: Path, clip: _Incoming, *, crf: int | None, comment: str | None) -> _Made:
    frames = iter(clip)
    first = next(frames, None)
    if first is None:
        raise InputError("There is no frame to write.", "Give at least one.")
    height, width, channels = first.shape
    if max(width, height) > form.longest_side:
        raise InputError(
            f"{form.name} holds at most {form.longest_side:,} pixels a side; the frames are {width:,} x {height:,}.",
            "Scale them down, or choose another format.",
        )
    frames = chain([first], frames)
    if form.container:
        film = FilmWriter(
            place,
            form.container,
            width=width,
            height=height,
            has_alpha=channels == 4,
            rate=clip.rate,
            sound=(clip.sound.rate, clip.sound.channels) if clip.sound else None,
            crf=crf,
            comment=comment,
        )
        with film:
            cut = _fill(film, frames, clip.sound, clip.rate)
        return _Made(clip.given, film.width, film.height, [*film.notes, *cut])
    if form.name == "GIF":
        kept, notes = write_gif(place, frames, clip.rate, comment)
        return _Made(kept, width, height, notes)
    if form.numbered:
        flatten = channels == 4 and not form.holds_alpha
        write_pictures(place, frames, comment)
        return _Made(clip.given, width, height, [f"{form.name} holds no alpha: {FLATTENED}"] if flatten else [])
    {"APNG": write_apng, "WebP": write_webp}[form.name](place, frames, clip.rate, comment)
    return _Made(clip.given, width, height, [])


def _fill(film: FilmWriter, frames: Iterable[Frame], sound: Sound | None, rate: Fraction) -> list[str]:
    """Write frames and sound side by side, so that neither has to be held; say so if much sound is left."""
    if sound is None:
        for frame in frames:
            film.add(frame)
        return []
    flow, heard = Flow(sound.blocks, sound.channels), 0
    for number, frame in enumerate(frames, 1):
        film.add(frame)
        until = sample_at(number / rate, sound.rate)
        for samples in flow.take(until - heard):
            film.hear(samples)
        heard = until
    unnoticed = floor(_UNNOTICED * sound.rate)
    if len(flow.read(unnoticed + 1)) <= unnoticed:
        return []
    return [f"The sound is longer than the pictures: it was cut at {heard / sound.rate:.2f} s."]


def _lacking(form: OutputFormat) -> Iterator[str]:
    for name in form.encoders:
        if not (features.check(name) if name == _PILLOWS_WEBP else has_encoder(name)):
            yield name


def _check_rate(rate: Fraction) -> None:
    if not _SLOWEST <= rate <= _FASTEST:
        raise InputError(
            f"The rate is {float(rate):g} frames per second; {_SLOWEST} to {_FASTEST} can be written.",
            "Give another rate.",
        )
    if max(rate.as_integer_ratio()) > _MOST_RATIO:
        raise InputError(
            f"The rate {rate} is finer than files hold: numerator and denominator must be at most {_MOST_RATIO:,}.",
            f"Give {rate.limit_denominator(1001)}, if that is what was meant.",
        )


def check_crf(form: OutputFormat, path: Path, crf: int | None) -> None:
    """Raise unless the quality number suits the format."""
    if crf is None:
        return
    if form.crf is None:
        endings = " or ".join(ending for ending, other in FORMATS.items() if other.crf)
        raise InputError(f"{path} cannot be written with crf {crf}: only {endings} have one.", "Leave it out.")
    if not form.crf.best <= crf <= form.crf.worst:
        raise InputError(
            f"The crf of {form.name} is {form.crf.best} (best) to {form.crf.worst} (smallest); got {crf}.",
            f"Leave it out for {form.crf.default}.",
        )


def check_comment(form: OutputFormat, comment: str | None) -> None:
    """Raise unless the format can hold the text."""
    if comment is None:
        return
    try:
        data = comment.encode()
    except UnicodeEncodeError as fault:
        raise InputError(f"The comment cannot be written as UTF-8: {fault.reason} at {fault.start}.") from fault
    if len(data) > form.longest_comment:
        raise InputError(
            f"A comment in {form.name} holds at most {form.longest_comment:,} bytes; got {len(data):,}.", "Shorten it."
        )
    if "\0" in comment:
        raise InputError("A comment cannot hold the zero character, which ends a text in most formats.")
