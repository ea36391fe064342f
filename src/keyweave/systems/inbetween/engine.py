"""The in-betweener that generates: a video model, run forward from one picture and backward from the other."""

from __future__ import annotations

import hashlib
from contextlib import nullcontext
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch.nn import functional

from keyweave.base.errors import InputError
from keyweave.base.progress import SILENT, Progress
from keyweave.base.seeds import derive
from keyweave.diffusion.exchange import temporal_layers
from keyweave.diffusion.image_to_video import condition_on, latents_of
from keyweave.diffusion.quick import compiled
from keyweave.maths.tensors import to_frames, to_tensor
from keyweave.media.fit import fit
from keyweave.media.types import Image
from keyweave.models.adapters import doubt_of, matrices_of, read_adapter
from keyweave.models.devices import room_for_work
from keyweave.models.loading import bytes_to_come, load
from keyweave.perceive.detail import detailed
from keyweave.systems.inbetween.anchoring import anchored
from keyweave.systems.inbetween.dual import Backward
from keyweave.systems.inbetween.generate import PLAIN, between_ends, path_below
from keyweave.systems.inbetween.windows import SKETCHED, joins, needed, through_windows
from keyweave.timeline.grid import off_the_grid
from keyweave.timeline.keeping import Recent
from keyweave.timeline.types import Between

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from keyweave.diffusion.denoisers import Condition
    from keyweave.media.types import Frame
    from keyweave.models.finding import Found
    from keyweave.models.loading import VideoModel
    from keyweave.protocols import Inbetweener
    from keyweave.systems.inbetween.sampling import Sampling
    from keyweave.timeline.keeping import Keeper

Memory = Literal["auto", "low", "high"]
_WHOLE = 8  # what a side is a multiple of, in every network of the family
_SMALLEST = 64  # the short side of a picture that a network can look at more closely than as a few points
_LARGER = 1.1  # times the area that a model was made for, above which it is made smaller
_MOST = 2  # times that area, which a thin picture's short side may cost at most
_THINNEST = 2 * _WHOLE
_SAMPLING = 0.9  # of the time; the rest goes to drawing what lies off the grid
# What one point takes while it is worked on, in numbers: reckoned from the widest layers of the released models, and
# generous. Whoever knows better says so.
_OF_LATENT, _OF_PIXEL = 20_000, 1_250
_KEPT = 64  # keyframes that are known as latents: a film may come back to one
_FEWEST = 4  # frames that are decoded together, whatever memory there is: the decoder mixes neighbours


def generative(
    *,
    model: Found,
    sampling: Sampling,
    fill: Inbetweener,
    sketcher: Inbetweener | None = None,
    windows: int = 1,
    adapter: Path | None = None,
    memory: Memory = "auto",
    compile: bool = False,  # noqa: A002 - as people type it
    no_detail: bool = False,
    device: str | None = None,
    dtype: str | None = None,
    keeper: Keeper | None = None,
    chance: int = 0,
) -> Inbetweener:
    """Load what is needed, and return the engine.

    Args:
        model: of image-to-video.
        sampling: how a clip is sampled.
        fill: draws between neighbours of the model's grid of times.
        sketcher: draws between keyframes what the model may choose to go on from, where the sampling asks for a sketch.
        windows: of how many clips a gap is made; with more than one, they meet in frames of a clip of the whole gap.
        adapter: what sets the backward branch apart; without it, both branches are the model itself.
        memory: "low" works in small parts, which is slower; "auto" does so where the device's free memory is short.
        compile: compile the network first, which takes minutes and makes every step faster.
        no_detail: leave frames as smooth as the model draws them, without the detail that keyframes have.
        device: where; see `devices.choose`.
        dtype: how precisely.
        keeper: of clips that were generated before.
        chance: decides what clips have in common: the noise on keyframes, each of which is encoded once for all of
            them. The seed that comes with a gap decides the rest.
    """
    learnt = None if adapter is None else read_adapter(adapter)  # first: a wrong one is told of at once
    loaded = load(model, device=device, dtype=dtype)
    backward, doubts = PLAIN, list[str]()
    if learnt is not None:
        layers = temporal_layers(loaded.unet)
        backward = Backward(learnt.rotated, matrices_of(learnt, loaded.unet, layers, device=loaded.place.device))
        doubts += filter(None, [doubt_of(learnt, model)])
    return _Generative(
        name=model.name,
        model=loaded,
        backward=backward,
        sampling=sampling,
        fill=fill,
        sketcher=sketcher,
        windows=windows,
        memory=memory,
        compile=compile,
        detail=not no_detail,
        keeper=Recent(keeper),
        chance=chance,
        doubts=doubts,
    )


@dataclass(eq=False)
class _Generative:
    """An `Inbetweener`; docs/generative.md tells its story."""

    name: str
    model: VideoModel
    backward: Backward
    sampling: Sampling
    fill: Inbetweener
    sketcher: Inbetweener | None
    windows: int
    memory: Memory
    compile: bool
    detail: bool
    keeper: Recent
    chance: int
    doubts: list[str]
    _warned: set[str] = field(default_factory=set)
    _told: dict[str, Condition] = field(default_factory=dict)

    def __call__(
        self, first: Image, last: Image, times: Sequence[Fraction], *, seed: int = 0, progress: Progress = SILENT
    ) -> Iterator[Frame]:
        """Generate clips on the model's own grid of times, and draw what is asked for from them."""
        if Between(first, last).is_transparent:
            raise InputError(
                "The engine generative draws opaque pictures, and these keyframes are transparent in places.",
                "Flatten them, or use --engine flow.",
            )
        shown = [_without_alpha(picture) for picture in (first, last)]
        size = working_size(first.size, int(self.model.unet.config["sample_size"]) * self._scale)
        self._warn(first.size, size, progress)
        at = joins(self._frames, self.windows)
        drawn_over = 0 if self.windows == 1 else needed(times, at)
        steps = self._steps(over=False) + drawn_over * self._steps(over=True)
        draw = partial(self._clip, size=size, progress=progress, step=_SAMPLING / steps)
        whole = draw(*shown, seed=seed)
        known = self._film(whole, first, last, progress)

        @lru_cache(maxsize=2)  # an easing may turn back across a join
        def window(number: int) -> list[Frame]:
            if self.windows == 1:
                return known
            start, stop = at[number : number + 2]
            # As the film shows them, with the detail they were given: a window of softened ends comes out softer still.
            ends = Image(known[start]), Image(known[stop])
            mine = derive(seed, "window", number)
            sketch = list(off_the_grid(known[start : stop + 1], self._grid, self.fill, seed=mine))
            made = draw(*map(_without_alpha, ends), seed=mine, sketch=sketch)
            return self._film(made, *ends, progress)

        yield from through_windows(times, at, window, self.fill, seed=seed, progress=progress)

    def _clip(
        self,
        first: Image,
        last: Image,
        *,
        seed: int,
        size: tuple[int, int],
        progress: Progress,
        step: float,
        sketch: Sequence[Frame] = (),
    ) -> NDArray[np.uint8]:  # (F, H, W, 3)
        """Generate a clip of this size, over a sketch of it or from nothing, or take one that was kept."""

        def make() -> NDArray[np.uint8]:
            ends = [self._ready(picture, size) for picture in (first, last)]
            over = self._encoded([_without_alpha(Image(frame)) for frame in sketch], size)
            proposal = None if sketch else self._proposal(first, last, size, seed)
            steps = self._steps(over=bool(sketch))
            with progress.part("sampling", step * steps, steps) as part:
                made = self._made(ends, seed, sketch=over, proposal=proposal, progress=part)
            return to_frames(anchored(made, *ends)[0][..., : size[1], : size[0]])

        return self.keeper.clip([first.pixels, last.pixels, *sketch], seed, make)

    def _way(self, *, over: bool) -> tuple[Sampling, list[int]]:
        """Return how a clip is sampled, from nothing or over a sketch, and the way through the levels of noise."""
        if not over:
            return self.sampling, self.sampling.path
        return self.sampling.over_sketch, path_below(self.model, self.sampling, SKETCHED)

    def _steps(self, *, over: bool) -> int:
        sampling, path = self._way(over=over)
        return sampling.parts(path)

    def _film(self, made: NDArray[np.uint8], first: Image, last: Image, progress: Progress) -> list[Frame]:
        """Return a clip as part of the film: of its size, with the keyframes at its ends."""
        frames = [_as_film(frame, first) for frame in made]
        if self.detail:
            with progress.part("detail", 0, len(frames) - 2) as part:
                return list(detailed(frames, first.pixels, last.pixels, part))
        return [first.pixels, *frames[1:-1], last.pixels]

    def _proposal(self, first: Image, last: Image, size: tuple[int, int], seed: int) -> Tensor | None:
        """Return the latents (1, F, C, h, w) of what another draws between two pictures, where that is asked for."""
        if not self.sampling.sketched:
            return None
        assert self.sketcher is not None, f"the sampling asks for a sketch by {self.sampling.sketch}"
        small = [fit(picture, size, "stretch").pixels for picture in (first, last)]
        return self._encoded(list(map(Image, off_the_grid(small, self._grid, self.sketcher, seed=seed))), size)

    @torch.no_grad()
    def _encoded(self, frames: Sequence[Image], size: tuple[int, int]) -> Tensor | None:  # (1, F, C, h, w)
        """Return frames as the latents of a clip that the network takes; None where there are none."""
        if not frames:
            return None
        ready = (self._ready(frame, size) for frame in frames)  # one by one: memory may be short
        return torch.cat([latents_of(self.model.vae, frame) for frame in ready])[None]

    def _made(
        self,
        ends: Sequence[Tensor],
        seed: int,
        *,
        sketch: Tensor | None,
        proposal: Tensor | None,
        progress: Progress,
    ) -> Tensor:  # (1, F, 3, H, W)
        first, last = ends
        sampling, path = self._way(over=sketch is not None)
        in_turn, chunk = self._parts(first, self._frames)
        with compiled(self.model.unet) if self.compile else nullcontext():
            return between_ends(
                self.model,
                self._condition(first),
                self._condition(last),
                seed=seed,
                sampling=sampling,
                backward=self.backward,
                in_turn=in_turn,
                chunk=chunk,
                path=path,
                sketch=sketch,
                proposal=proposal,
                progress=progress,
            )

    @torch.no_grad()
    def _condition(self, picture: Tensor) -> Condition:
        """Return what the network is told about a keyframe (1, 3, H, W): the very same in all clips that meet in it."""
        shape = str(tuple(picture.shape)).encode()
        key = hashlib.sha256(shape + picture.cpu().numpy().tobytes()).hexdigest()
        if key not in self._told:
            if len(self._told) == _KEPT:
                self._told.pop(next(iter(self._told)))
            self._told[key] = condition_on(self.model, picture, self._frames, seed=self.chance, told=self.sampling.told)
        return self._told[key]

    def _ready(self, picture: Image, size: tuple[int, int]) -> Tensor:
        """Return a picture as the network takes it: of this size, and its edges repeated up to whole latents."""
        pixels = to_tensor(fit(picture, size, "stretch").pixels)[None].to(self.model.place.device)
        right, below = (-side % _WHOLE for side in size)
        return functional.pad(pixels, (0, right, 0, below), mode="replicate")

    @property
    def _frames(self) -> int:
        """How many frames a clip of the model has."""
        return int(self.model.unet.config["num_frames"])

    @property
    def _grid(self) -> list[Fraction]:
        """The times of a clip's frames."""
        return [Fraction(k, self._frames - 1) for k in range(self._frames)]

    @property
    def _scale(self) -> int:
        """How many pixels one latent stands for, to either side."""
        return 2 ** (len(self.model.vae.config["block_out_channels"]) - 1)

    def _parts(self, picture: Tensor, frames: int) -> tuple[bool, int | None]:
        """Decide whether branches run in turn, and how many frames are decoded together."""
        height, width = picture.shape[2:]
        if self.memory != "auto":
            return (True, _FEWEST) if self.memory == "low" else (False, None)
        free = room_for_work(self.model.place.device)
        # What works comes to a small device only then, and takes its room from what it works on.
        to_sample, to_decode = (
            free - bytes_to_come(part, self.model.place.device) for part in (self.model.unet, self.model.vae)
        )
        of_latent, of_pixel = _OF_LATENT * self.model.unet.dtype.itemsize, _OF_PIXEL * self.model.vae.dtype.itemsize
        both = 2 * frames * (height // self._scale) * (width // self._scale) * of_latent
        chunk = max(_FEWEST, to_decode // (height * width * of_pixel))
        return both > to_sample, None if chunk >= frames else chunk

    def _warn(self, wanted: tuple[int, int], drawn: tuple[int, int], progress: Progress) -> None:
        """Say once what may not be what was wanted."""
        doubts = [*self.doubts]
        if drawn != wanted:
            doubts.append(
                f"{self.name} draws {drawn[0]}x{drawn[1]} pixels here; they are resized to {wanted[0]}x{wanted[1]}."
            )
        if not self.backward.rotated and not self.backward.weights:
            doubts.append(
                f"There is no adapter for {self.name}: both directions are the plain model, and may not agree on one "
                "motion. `keyweave train inbetween` makes one."
            )
        if self.model.card is not None and self.model.card.toy:
            doubts.append(f"{self.name} is a toy: it knows the drawn world and nothing else.")
        for doubt in doubts:
            if doubt not in self._warned:
                progress.warn(doubt)
        self._warned.update(doubts)


def working_size(wanted: tuple[int, int], side: int) -> tuple[int, int]:
    """Return the size to draw at: as wanted, unless the model was made for much smaller pictures.

    The short side of a thin picture stays large enough to be seen, as far as its area allows that; one that is thinner
    still is drawn in other proportions, for which no network was made either.

    Args:
        wanted: width and height of the film.
        side: of a square with as many pixels as the model was made for.
    """
    width, height = wanted
    area, most = width * height, _MOST * side**2
    scale = 1.0 if area <= _LARGER * side**2 else (side**2 / area) ** 0.5
    scale = min(max(scale, min(side, _SMALLEST) / min(wanted)), (most / area) ** 0.5)
    short, long = (round(each * scale) for each in sorted(wanted))
    if short < _THINNEST:
        short, long = _THINNEST, max(_THINNEST, min(long, max(wanted), most // _THINNEST))
    return (long, short) if width > height else (short, long)


def _as_film(frame: Frame, like: Image) -> Frame:
    """Return a frame of a clip with the size and the channels of a keyframe of the film."""
    shown = fit(Image(frame), like.size, "stretch")
    return (shown.with_alpha() if like.has_alpha else shown).pixels


def _without_alpha(picture: Image) -> Image:
    return Image(np.ascontiguousarray(picture.pixels[..., :3])) if picture.has_alpha else picture
