"""Projects to and from editing programs: OpenTimelineIO files, and edit decision lists through its adapter.

A keyframe becomes a clip of its picture that lasts until the next one, with a marker that bears the easing's name.
Programs count in frames; exact times travel in the metadata of `.otio` files, and are lost in an EDL,
which moreover begins with its first picture.
"""

from __future__ import annotations

import os
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from keyweave.base.errors import InputError
from keyweave.base.extras import need
from keyweave.base.files import existing_file, replacing
from keyweave.timeline.easing import LINEAR, Easing
from keyweave.timeline.project import Project, ProjectKeyframe
from keyweave.timeline.times import parse_rate

if TYPE_CHECKING:
    from collections.abc import Iterator

_ADAPTERS = {".otio": "otio_json", ".edl": "cmx_3600"}
_OURS = "keyweave"  # the key of our metadata
_PURPOSE = "exchanging timelines with editing programs"
_LAST_SECONDS = Fraction(1)  # how long the last keyframe's clip lasts if nothing says so


def export(project: Project, source: Path, output: Path, *, overwrite: bool = False) -> None:
    """Write a project, read from `source`, for editing programs; the ending of `output` chooses the form."""
    otio = need("opentimelineio", _PURPOSE)
    adapter = _adapter(output)
    rate = float(project.fps)
    track = otio.schema.Track("keyframes", kind=otio.schema.TrackKind.Video)
    times = [keyframe.at for keyframe in project.keyframes]
    end = max(project.duration or Fraction(0), times[-1] + _LAST_SECONDS)
    if times[0] > 0:
        track.append(otio.schema.Gap(source_range=_range(otio, round(times[0] * project.fps), rate)))
    for keyframe, (at, until) in zip(project.keyframes, pairwise([*times, end]), strict=True):
        # Frames are counted from the film's beginning, so that rounding does not add up.
        length = _range(otio, round(until * project.fps) - round(at * project.fps), rate)
        place = (source.parent / keyframe.image).resolve()
        url = Path(os.path.relpath(place, output.resolve().parent)).as_posix()
        clip = otio.schema.Clip(
            Path(keyframe.image).name, otio.schema.ExternalReference(url, available_range=length), length
        )
        marked = _range(otio, 0, rate)
        exact = {"at": str(at), "easing": str(keyframe.easing)}
        clip.markers.append(otio.schema.Marker(str(keyframe.easing), marked, metadata={_OURS: exact}))
        track.append(clip)
    timeline = otio.schema.Timeline(source.stem, metadata={_OURS: _settings(project)})
    timeline.tracks.append(track)
    with replacing(output, overwrite=overwrite) as part:
        part.write_text(otio.adapters.write_to_string(timeline, adapter), encoding="utf-8")


def bring(source: Path, output: Path, fps: str | None = None) -> Project:
    """Read a timeline of pictures as a project that will lie at `output`; `fps` is the rate of an EDL, else 24."""
    otio = need("opentimelineio", _PURPOSE)
    adapter = _adapter(source)
    try:
        given = None if fps is None else parse_rate(fps)
    except ValueError as fault:
        raise InputError(f"--fps: {fault}.") from None
    text = existing_file(source).read_bytes().decode("utf-8", errors="replace")
    options = {"rate": float(given or 24)} if adapter == "cmx_3600" else {}
    try:
        timeline = otio.adapters.read_from_string(text, adapter, **options)
        clips = list(timeline.find_clips())
    except Exception as fault:  # noqa: BLE001 - adapters raise whatever they like on a file that is none of theirs
        words = " ".join(str(fault).split())[:120]
        raise InputError(
            f"{source} cannot be read as a timeline ({words}).", "Export it again as .otio or .edl."
        ) from None
    keyframes = list(_keyframes(source, output, clips))
    if len(keyframes) < 2:
        raise InputError(
            f"{source} has {len(keyframes)} pictures; a project needs two or more.", "Place stills on its track."
        )
    settings: dict[str, Any] = dict(timeline.metadata.get(_OURS, {}))
    if given or "fps" not in settings:
        settings["fps"] = given or _rate_of(clips[0])
    try:
        return Project.model_validate({"keyweave project": 1, **settings, "keyframes": keyframes})
    except ValueError as fault:
        raise InputError(f"{source} holds settings that do not fit ({str(fault).splitlines()[0]}).") from None


def _settings(project: Project) -> dict[str, Any]:
    row = project.model_dump(mode="json", exclude_defaults=True, exclude={"keyframes", "format"})
    return row | {"fps": str(project.fps)}


def _keyframes(source: Path, output: Path, clips: list[Any]) -> Iterator[ProjectKeyframe]:
    for clip in clips:
        found = clip.range_in_parent().start_time
        rate = Fraction(found.rate).limit_denominator(1001)
        marker = next(iter(clip.markers), None)
        exact = dict(marker.metadata.get(_OURS, {})) if marker else {}
        place = source.resolve().parent / _path_of(getattr(clip.media_reference, "target_url", None) or clip.name)
        yield ProjectKeyframe.model_validate(
            {
                "image": Path(os.path.relpath(place, output.resolve().parent)).as_posix(),
                "at": exact.get("at", round(found.value) / rate),
                "easing": _easing(exact.get("easing", marker.name if marker else "")),
            }
        )


def _easing(text: str) -> Easing:
    """Read a marker's name as an easing; most markers of this world say something else."""
    try:
        return Easing.parse(text)
    except ValueError:
        return LINEAR


def _path_of(url: str) -> Path:
    parts = urlparse(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else Path(url)


def _rate_of(clip: Any) -> Fraction:
    rate = Fraction(clip.range_in_parent().duration.rate)
    television = Fraction(round(rate) * 1000, 1001)
    return television if abs(rate - television) < Fraction(1, 100) else rate.limit_denominator(1000)


def _range(otio: Any, frames: int, rate: float) -> Any:
    return otio.opentime.TimeRange(otio.opentime.RationalTime(0, rate), otio.opentime.RationalTime(frames, rate))


def _adapter(path: Path) -> str:
    if path.suffix.lower() not in _ADAPTERS:
        raise InputError(f"{path} is no timeline that keyweave exchanges.", "Choose an ending of .otio or .edl.")
    return _ADAPTERS[path.suffix.lower()]
