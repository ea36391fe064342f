"""The benchmark itself: each method fills each pair; what was made and measured before is taken from the folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from keyweave.base.errors import InputError
from keyweave.base.progress import SILENT, Progress
from keyweave.base.recipe import InputMark, Recipe
from keyweave.base.seeds import derive
from keyweave.base.version import VERSION
from keyweave.bench.contenders import Contender
from keyweave.bench.finishing import MADE, finished
from keyweave.bench.kept import Kept
from keyweave.bench.measures import MEASURES, judged, measure, pinned
from keyweave.bench.standard import Looks
from keyweave.maths.tensors import to_tensor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from keyweave.base.recipe import ModelMark
    from keyweave.bench.pairs import Footage, Material, Pair
    from keyweave.bench.standard import Sight, Standard
    from keyweave.media.types import Frame
    from keyweave.perceive.features import ToyFeatures

    Floats = NDArray[np.floating]

_MEASURED = 2  # raised when measures change, so that none of before is taken
_FILLED = 1  # raised when methods, how they sample or what they carry along make other clips, likewise
# Their versions can change clips, as they can those of `keyweave inbetween`.
_LIBRARIES = ("av", "numpy", "opencv-python-headless", "pillow", "torch")
_OF_MODELS = ("diffusers", "transformers")
_MOST, _PIXELS = 8, 8 * 128 * 128  # pairs that are filled at once, and pixels of a frame of each; toys take no more

REAL = Contender("real", "the real clip itself: how good the judges are", lambda real, *_: real)


@dataclass(frozen=True)
class Judge:
    """Who looks at films of the drawn world.

    Args:
        network: the one of toy-features.
        mark: which weights.
    """

    network: ToyFeatures
    mark: ModelMark


@dataclass(frozen=True, eq=False)
class Findings:
    """What came out.

    Args:
        material: what was filled.
        contenders: who filled it, the real clips first.
        seeds: how many each of those by chance was given.
        values: (P, S) by method and measure, with NaN for what a pair does not let be measured; S is 1 for those who
            leave nothing to chance.
        vectors: (S, P, V) by method, what toy-features sums films up in; empty without a judge.
        others: (N, V) the same of real clips that no pair is from.
        clips: (F, H, W, 3) as made, by method and pair, of the first pairs and the first seed.
        sights: what the networks of FID and FVD saw, of those whose weights were given.
    """

    material: Material
    contenders: tuple[Contender, ...]
    seeds: int
    values: dict[str, dict[str, Floats]]
    vectors: dict[str, Floats]
    others: Floats | None
    clips: dict[str, list[Frame]]
    sights: tuple[Sight, ...] = ()


def bench_inbetween(
    material: Material,
    contenders: Sequence[Contender],
    folder: Path,
    *,
    judge: Judge | None = None,
    standards: Sequence[Standard] = (),
    seeds: int = 1,
    seed: int = 0,
    shown: int = 8,
    batch: int | None = None,
    progress: Progress = SILENT,
) -> Findings:
    """Let everybody fill every pair, and measure what they made.

    Stopped at any moment, it goes on where it was: clips are kept as they are made, under the checksum of all that
    decides them.

    Args:
        material: the pairs.
        contenders: who fills them.
        folder: where clips and numbers are kept.
        judge: looks at films of the drawn world; other material has none.
        standards: networks of FID and FVD; see `check_standards` for what they take.
        seeds: how many clips for each pair, of those who leave something to chance.
        seed: decides all chance. Each seed and pair begins with the same noise, whoever the method is.
        shown: of how many first pairs the clips are returned.
        batch: how many pairs are filled at once; by default 8 small ones, and 1 of full size. A pair's noise is its own
            whoever is beside it.
        progress: a step for each clip.
    """
    if seeds < 1:
        raise InputError(f"A benchmark needs 1 seed or more; got {seeds}.")
    everybody = (REAL, *contenders)
    turns = {one.name: seeds if one.by_chance else 1 for one in everybody}
    count = len(material.pairs)
    values = {name: {one.key: np.full((count, turn), np.nan) for one in MEASURES} for name, turn in turns.items()}
    vectors: dict[str, list[list[Floats]]] = {name: [[] for _ in range(turn)] for name, turn in turns.items()}
    clips: dict[str, list[Frame]] = {name: [] for name in turns}
    kept = Kept(folder)
    looks = Looks(standards, turns, kept)
    with progress.part("filling", 1 - progress.fraction, total=count * sum(turns.values())) as part:
        for some in _batches(material.pairs, together(material.size) if batch is None else batch):
            for one in everybody:
                for turn in range(turns[one.name]):
                    made = some.made(one, [derive(seed, "bench", turn, k) for k in some.numbers], kept, part)
                    clips[one.name] += made.clips[: max(0, shown - some.first)] if turn == 0 else []
                    for number, row in zip(some.numbers, _measured(made, some, judge, kept), strict=True):
                        for key, value in row["values"].items():
                            values[one.name][key][number, turn] = np.nan if value is None else value
                        vectors[one.name][turn].append(np.array(row["vector"], np.float64))
                    looks.see(one.name, turn, some.films(made), made.digests, part)
                    part.step(len(made.clips))
    others = None if judge is None else _others(judge.network, material.others, progress)
    stacked = {} if judge is None else {name: np.array(rows) for name, rows in vectors.items()}
    sights = looks.sights(REAL.name, material.others, progress)
    return Findings(material, everybody, seeds, values, stacked, others, clips, sights)


def together(size: tuple[int, int]) -> int:
    """Return how many pairs of a size, width and height, are filled at once where nobody says."""
    return max(1, min(_MOST, _PIXELS // (size[0] * size[1])))


@dataclass(frozen=True, eq=False)
class _Made:
    """Clips, and the checksum of what decided each."""

    clips: list[Frame]
    digests: list[str]


@dataclass(frozen=True, eq=False)
class _Batch:
    """Pairs that are filled together."""

    first: int
    footages: list[Footage]
    marks: list[InputMark]

    @property
    def numbers(self) -> range:
        return range(self.first, self.first + len(self.footages))

    def made(self, one: Contender, seeds: list[int], kept: Kept, progress: Progress) -> _Made:
        digests = [
            _recipe(one, number, mark, seed).digest()
            for number, mark, seed in zip(self.numbers, self.marks, seeds, strict=True)
        ]
        clips = [kept.clip(digest) for digest in digests]
        new = [k for k, clip in enumerate(clips) if clip is None]
        if new:
            real = np.stack([self.footages[k].frames for k in new])
            numbers = [self.numbers[k] for k in new]
            with progress.part(one.name, 0) as part:
                fresh = one.make(real, numbers, [seeds[k] for k in new], part)
            for k, clip in zip(new, fresh, strict=True):
                kept.keep_clip(digests[k], clip)
                clips[k] = clip
        made = _Made([clip for clip in clips if clip is not None], digests)
        return self._finished(made, kept) if one.finish else made

    def _finished(self, made: _Made, kept: Kept) -> _Made:
        digests = [hashlib.sha256(f"{digest} finished {MADE}".encode()).hexdigest() for digest in made.digests]
        clips = []
        for digest, clip, footage in zip(digests, made.clips, self.footages, strict=True):
            done = kept.clip(digest)
            if done is None:
                done = finished(clip, footage.frames[0], footage.frames[-1])
                kept.keep_clip(digest, done)
            clips.append(done)
        return _Made(clips, digests)

    def films(self, made: _Made) -> list[Frame]:
        return [pinned(clip, one.frames) for clip, one in zip(made.clips, self.footages, strict=True)]


def _recipe(one: Contender, number: int, mark: InputMark, seed: int) -> Recipe:
    result = () if one.reads is None else (InputMark("result", one.reads(number)),)
    return Recipe(
        system="bench inbetween",
        engine=one.engine,
        inputs=(mark, *result),
        options=one.options | {"filled": str(_FILLED)},
        seed=seed if one.by_chance else 0,
        version=VERSION,
        models=one.models,
        libraries={name: metadata.version(name) for name in _LIBRARIES + (_OF_MODELS if one.models else ())},
        device=one.device,
        dtype=one.dtype,
    )


def _batches(pairs: Sequence[Pair], count: int) -> Iterator[_Batch]:
    for first in range(0, len(pairs), count):
        footages = [pair.read() for pair in pairs[first : first + count]]
        # Shape and bytes say what a pair is; its name may be another one elsewhere.
        marks = [
            InputMark(f"frames {one.frames.shape}", hashlib.sha256(one.frames.tobytes()).hexdigest())
            for one in footages
        ]
        yield _Batch(first, footages, marks)


def _measured(made: _Made, batch: _Batch, judge: Judge | None, kept: Kept) -> list[dict[str, Any]]:
    """Return the values of each clip, and the vector that the judge sums it up in."""
    by = "" if judge is None else judge.mark.sha256
    names = [hashlib.sha256(f"{digest} {by} {_MEASURED}".encode()).hexdigest() for digest in made.digests]
    rows = [kept.numbers(name) for name in names]
    if all(row is not None for row in rows):
        return [row for row in rows if row is not None]
    found = [
        {"values": measure(clip, footage), "vector": []}
        for clip, footage in zip(made.clips, batch.footages, strict=True)
    ]
    if judge is not None:
        said, vectors = judged(judge.network, np.stack(batch.films(made)), batch.footages)
        for row, values, vector in zip(found, said, vectors, strict=True):
            row["values"] |= values
            row["vector"] = vector.tolist()
    for name, row in zip(names, found, strict=True):
        kept.keep_numbers(name, row)
    return found


@torch.no_grad()
def _others(judge: ToyFeatures, pairs: Sequence[Pair], progress: Progress) -> Floats:
    """Return the vectors (N, V) of real clips."""
    device = next(judge.parameters()).device
    found = [
        judge(to_tensor(pair.read().frames[None]).to(device)).vector.cpu().numpy()
        for pair in progress.each(pairs, "real clips", share=0)
    ]
    return np.concatenate(found).astype(np.float64)
