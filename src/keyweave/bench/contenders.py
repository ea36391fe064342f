"""Who fills the pairs: generative methods, those without learning, other programs, and the real clips themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import torch

from keyweave.base.errors import InputError
from keyweave.base.progress import SILENT, Progress
from keyweave.bench.elsewhere import FOLDER, HOW, Elsewhere, elsewhere
from keyweave.bench.names import AT, JOINED, method_of, sampling_of
from keyweave.bench.trained import group_of
from keyweave.classical.crossfade import crossfade
from keyweave.classical.flow import flow
from keyweave.diffusion.exchange import temporal_layers
from keyweave.diffusion.image_to_video import latents_of
from keyweave.maths.tensors import to_frames, to_tensor
from keyweave.media.types import Image
from keyweave.models.adapters import doubt_of, find_adapter, mark_adapter, matrices_of, read_adapter
from keyweave.models.loading import load
from keyweave.recipes.scores import through
from keyweave.systems.inbetween.accounts import account
from keyweave.systems.inbetween.dual import Backward
from keyweave.systems.inbetween.generate import PLAIN
from keyweave.systems.inbetween.methods import METHODS, make

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from keyweave.base.recipe import ModelMark
    from keyweave.bench.trained import Pupil
    from keyweave.media.types import Frame
    from keyweave.models.finding import Found
    from keyweave.models.loading import VideoModel
    from keyweave.protocols import Inbetweener
    from keyweave.systems.inbetween.sampling import Sampling

    Numbers = Sequence[int]  # of pairs, counted from 0
    Making = Callable[[Frame, Numbers, Sequence[int], Progress], Frame]

CEILING = "truth"
_CLASSICAL: dict[str, tuple[Inbetweener, str]] = {
    "flow": (flow, "both pictures carried along their optical flow, nothing learnt"),
    "crossfade": (crossfade, "one picture fades into the other"),
}
_ABSENT = {
    paper.lower(): (
        f"{paper} is a network of its own, and keyweave has neither its code nor its weights.",
        HOW.format(f"folder:{paper}=DIR"),
    )
    for paper in ("FILM", "DynamiCrafter")
}
NAMES = (*METHODS, *_CLASSICAL, CEILING)
_FINISHED = "finished with the keyframes' colours and detail"
_TAKEN = (*NAMES, "real")


@dataclass(frozen=True, eq=False)
class Contender:
    """One who takes part.

    Args:
        name: what people type.
        says: what it does, in one line.
        make: makes clips (B, F, H, W, 3) of the real ones, of which it may look at both ends; from the number of each
            pair and a seed for each.
        by_chance: whether another seed makes another clip.
        options: what else decides what it makes, as plain values.
        models: by role, the same.
        device: where it computes.
        dtype: how precisely.
        method: of which this is one of several trainings; without it, its own name.
        clips: how many it was learnt from, for this benchmark.
        evaluations: of the network for each clip.
        finish: whether its clips are given the colours and the detail of the keyframes, as the engine does.
        reads: the checksum of what it takes a pair's clip from, by the number of the pair; None where it makes clips
            from the keyframes alone.
        remark: what else is to be said of it.
    """

    name: str
    says: str
    make: Making
    by_chance: bool = False
    options: dict[str, str] = field(default_factory=dict)
    models: dict[str, ModelMark] = field(default_factory=dict)
    device: str = "cpu"
    dtype: str = "uint8"
    method: str = ""
    clips: int | None = None
    evaluations: int | None = None
    finish: bool = False
    reads: Callable[[int], str] | None = None
    remark: str = ""

    @property
    def engine(self) -> str:
        """What makes its clips; how it samples is told by the options, whatever it is called."""
        return method_of(self.name)

    @property
    def group(self) -> str:
        """What all its trainings from as many clips are called together."""
        return self.name if self.clips is None else group_of(self.method, self.clips)


@dataclass(frozen=True)
class Learnt:
    """What the generative methods are made from.

    Args:
        model: of image-to-video.
        sampling: how clips are sampled.
        adapter: of the backward branch that takes turned maps; without, the one that the model's card names.
        unrotated: of the one that makes its own.
        device: where to compute; see `devices.choose`.
        dtype: how precisely.
        chunk: frames that are decoded at once; all without.
        in_turn: branches one after the other, where memory is short.
        finish: what they make, as the engine does: give it the colours and the detail of the keyframes.
    """

    model: Found
    sampling: Sampling
    adapter: str | None = None
    unrotated: str | None = None
    device: str | None = None
    dtype: str | None = None
    chunk: int | None = None
    in_turn: bool = False
    finish: bool = False


def check_names(names: Sequence[str]) -> None:
    """Refuse methods that there are not, and those that are named twice."""
    for number, name in enumerate(names):
        if name.lower() in _ABSENT:
            raise InputError(*_ABSENT[name.lower()])
        called = _called(name)
        if name.startswith(FOLDER) and called in _TAKEN:
            raise InputError(f"{called} is a method of keyweave; {name} would be another.", "Choose another name.")
        if not name.startswith(FOLDER) and method_of(name) not in NAMES:
            hint = f"Choose from: {', '.join(NAMES)}, folder:NAME=DIR."
            parted = "=" in name and any(AT in before for before in names[:number])
            raise InputError(f"There is no method {name!r}.", JOINED if parted else hint)
        if not name.startswith(FOLDER) and AT in name and method_of(name) not in METHODS:
            raise InputError(f"{method_of(name)} does not sample, so {name!r} says nothing.", "Leave out the @.")
        if called in map(_called, names[:number]):
            raise InputError(f"The method {called} is named twice.", "Name each once.")
    if not names:
        raise InputError("No method is named.", f"Choose from: {', '.join(NAMES)}.")


def needs_model(names: Sequence[str]) -> bool:
    """Tell whether any of the methods works with a model."""
    return any(method_of(name) in METHODS or name == CEILING for name in names)


def contenders(
    names: Sequence[str],
    learnt: Learnt | None,
    pupils: Sequence[Pupil] = (),
    *,
    progress: Progress = SILENT,
) -> list[Contender]:
    """Return those who take part, in the order they are named.

    Args:
        names: of methods.
        learnt: what the generative ones are made from; None where there are none.
        pupils: adapters that take the place of those in `learnt`.
        progress: is told of an adapter that was made for another model.
    """
    check_names(names)
    places = {_called(name): number for number, name in enumerate(names)}
    found = [_classical(name) for name in names if name in _CLASSICAL]
    found += [_elsewhere(elsewhere(name)) for name in names if name.startswith(FOLDER)]
    if needs_model(names):
        assert learnt is not None, "a generative method has a model"
        rows: list[tuple[str, str, str | None, int | None, str]] = []
        for name in (name for name in names if method_of(name) in METHODS):
            own = [pupil for pupil in pupils if pupil.method == method_of(name)]
            rows += [
                (one.title.replace(one.method, name, 1), name, str(one.adapter), one.clips, one.source) for one in own
            ]
            if not own:
                rows.append((name, name, _backward(method_of(name), learnt), None, ""))
        loaded = load(learnt.model, device=learnt.device, dtype=learnt.dtype)
        mark = learnt.model.mark()
        places |= {title: names.index(name) for title, name, *_ in rows}
        found += [_generative(*row, learnt=learnt, model=loaded, mark=mark, progress=progress) for row in rows]
        if CEILING in names:
            found.append(_ceiling(loaded, mark))
    return sorted(found, key=lambda one: places[one.name])


def check_samplings(names: Sequence[str], sampling: Sampling) -> None:
    """Refuse names that ask for a sampling that there is not, before anybody waits for a training."""
    for name in names:
        if method_of(name) in METHODS:
            sampling_of(name, sampling)


def check_results(names: Sequence[str], pairs: int) -> None:
    """Refuse what other programs made if there is not one for each pair."""
    for name in names:
        if name.startswith(FOLDER):
            results = elsewhere(name)
            for number in range(pairs):
                results.place(number)


def _called(name: str) -> str:
    """Return what tables call a method."""
    return elsewhere(name).name if name.startswith(FOLDER) else name


def _elsewhere(results: Elsewhere) -> Contender:
    def read(real: Frame, numbers: Numbers, seeds: Sequence[int], progress: Progress) -> Frame:
        del seeds, progress
        frames, height, width = real.shape[1:4]
        return np.stack([results.clip(number, frames, (width, height)) for number in numbers])

    says = f"what another program made, from the folder {results.folder.name}; at each time the nearest of its frames"
    return Contender(results.name, says, read, reads=results.digest)


def _classical(name: str) -> Contender:
    fill, says = _CLASSICAL[name]

    def draw(real: Frame, numbers: Numbers, seeds: Sequence[int], progress: Progress) -> Frame:
        del numbers, seeds, progress
        return np.stack([np.stack(list(_filled(fill, clip))) for clip in real])

    return Contender(name, says, draw)


def _filled(fill: Inbetweener, clip: Frame) -> Iterator[Frame]:
    first, last = (Image(np.ascontiguousarray(clip[k])) for k in (0, -1))
    yield first.pixels
    steps = len(clip) - 1
    # That two pictures look unrelated is told to people; here it would be told a hundred times.
    yield from fill(first, last, [Fraction(k, steps) for k in range(1, steps)], seed=0, progress=SILENT)
    yield last.pixels


def _backward(name: str, learnt: Learnt) -> str | None:
    """Return what names the adapter that a method takes."""
    needs = METHODS[name].needs
    if needs == "none":
        return None
    if needs == "unrotated adapter":
        ref, lacking = learnt.unrotated, ", and --unrotated names none"
    else:
        ref = learnt.model.adapter if learnt.adapter is None else learnt.adapter
        lacking = "; --adapter names none, and neither does a card of the model"
    if ref is None:
        raise InputError(f"The method {name} needs an adapter{lacking}.", "`keyweave train inbetween` makes one.")
    return ref


def _generative(
    title: str,
    name: str,
    adapter: str | None,
    clips: int | None,
    source: str,
    *,
    learnt: Learnt,
    model: VideoModel,
    mark: ModelMark,
    progress: Progress,
) -> Contender:
    method, sampling = method_of(name), sampling_of(name, learnt.sampling)
    backward, models, doubt = PLAIN, {"model": mark}, ""
    if adapter is not None:
        path = find_adapter(adapter)
        models["adapter"] = mark_adapter(adapter, path)
        read = read_adapter(path)
        if bool(read.rotated) != (METHODS[method].needs == "rotated adapter"):
            kinds = ("with", "without") if read.rotated else ("without", "with")
            ref = models["adapter"].ref
            raise InputError(
                f"The adapter {ref} was learnt {kinds[0]} rotated maps; {name} takes one {kinds[1]} them.",
                "--adapter names the one with them, --unrotated the other.",
            )
        layers = temporal_layers(model.unet)
        backward = Backward(read.rotated, matrices_of(read, model.unet, layers, device=model.place.device))
        doubt = doubt_of(read, learnt.model)
        if doubt:
            progress.warn(doubt)

    def draw(real: Frame, numbers: Numbers, seeds: Sequence[int], progress: Progress) -> Frame:
        del numbers
        firsts, lasts = (to_tensor(real[:, k]).to(model.place.device) for k in (0, -1))
        sketched = METHODS[method].really(sampling).sketched
        made = make(
            method,
            model,
            firsts,
            lasts,
            seed=seeds,
            sampling=sampling,
            backward=backward,
            frames=real.shape[1],
            in_turn=learnt.in_turn,
            chunk=learnt.chunk,
            proposal=_sketches(model, real) if sketched else None,
            progress=progress,
        )
        return to_frames(made)

    ran, place, taught = account(method, sampling), model.place, f"adapter learnt from {source}" if source else ""
    return Contender(
        title,
        METHODS[method].says,
        draw,
        by_chance=True,
        options={"sampling": ran.words, "chunk": str(learnt.chunk), "in turn": str(learnt.in_turn)},
        models=models,
        device=place.device,
        dtype=place.dtype,
        method=name,
        clips=clips,
        evaluations=ran.evaluations,
        finish=learnt.finish,
        remark="; ".join(filter(None, (ran.jumps, _FINISHED * learnt.finish, doubt.rstrip("."), taught))),
    )


@torch.no_grad()
def _sketches(model: VideoModel, real: Frame) -> Tensor:  # (B, F, C, h, w)
    """Return what flow draws between the ends of clips (B, F, H, W, 3), as latents."""
    clips = [np.stack(list(_filled(flow, clip))) for clip in real]
    return torch.stack([latents_of(model.vae, to_tensor(clip).to(model.place.device)) for clip in clips])


def _ceiling(model: VideoModel, mark: ModelMark) -> Contender:
    def copy(real: Frame, numbers: Numbers, seeds: Sequence[int], progress: Progress) -> Frame:
        del numbers, seeds, progress
        return through(model, real)

    says = "the real clip through the model's autoencoder: what it could show at best"
    return Contender(CEILING, says, copy, False, {}, {"model": mark}, model.place.device, model.place.dtype)
