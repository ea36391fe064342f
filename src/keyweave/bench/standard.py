"""FID and FVD: Frechet distances that mean one certain network each, whose weights people bring as files."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from keyweave.base.errors import InputError
from keyweave.base.recipe import ModelMark, sha256_of_file
from keyweave.bench.measures import Measure
from keyweave.maths.tensors import to_tensor
from keyweave.perceive import i3d, inception

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from keyweave.base.progress import Progress
    from keyweave.bench.kept import Kept
    from keyweave.bench.pairs import Material, Pair
    from keyweave.media.types import Frame

    Floats = NDArray[np.floating]

_LOOKED = 1  # raised when what the networks are shown changes, so that none of before is taken
FEWEST = 4  # pairs, so that a spread can be told
_RESIZED = "pictures brought to {0}x{0} bilinearly, between centres of pixels, nothing smoothed before"


@dataclass(frozen=True)
class Kind:
    """One of these distances.

    Args:
        measure: its column.
        network: what it means, in words.
        width: numbers that the network sums one sample up in.
        resized: how pictures come to the network's size.
        samples: what a sample is; a clip as a whole where `whole` is true.
        whole: whether the network looks at clips; else at each frame between the keyframes by itself.
        fewest: frames that a clip must have.
        load: reads the weights.
    """

    measure: Measure
    network: str
    width: int
    resized: str
    samples: str
    whole: bool
    fewest: int
    load: Callable[..., torch.nn.Module]


KINDS = {
    "fid": Kind(
        Measure("fid", "FID", False, "Frechet inception distance of the frames between the keyframes from real ones"),
        network="Inception-v3 as pytorch-fid has it, its 2048 last averages",
        width=inception.WIDTH,
        resized=_RESIZED.format(inception.SIDE),
        samples="frames between the keyframes",
        whole=False,
        fewest=3,
        load=inception.load_inception,
    ),
    "fvd": Kind(
        Measure("fvd", "FVD", False, "Frechet video distance of the films, keyframes and all, from real ones"),
        network="I3D of Kinetics-400 (RGB), its 400 logits averaged over time",
        width=i3d.WIDTH,
        resized=_RESIZED.format(i3d.SIDE),
        samples="films",
        whole=True,
        fewest=i3d.FEWEST,
        load=i3d.load_i3d,
    ),
}


@dataclass(frozen=True, eq=False)
class Standard:
    """One of these distances, with its network.

    Args:
        kind: which.
        network: from pictures (B, 3, H, W), or clips (B, F, 3, H, W) where it looks at those, to vectors (B, V).
        mark: the file of its weights, by name and checksum.
    """

    kind: Kind
    network: torch.nn.Module
    mark: ModelMark

    @torch.inference_mode()
    def look(self, film: Frame) -> Floats:  # (F, H, W, 3) -> float32 (K, V)
        """Return the vectors that a film is summed up in: one, or one for each frame between the keyframes."""
        shown = to_tensor(film).to(next(self.network.parameters()).device)
        return self.network(shown[None] if self.kind.whole else shown[1:-1]).cpu().numpy()


@dataclass(frozen=True, eq=False)
class Sight:
    """What a standard network saw.

    Args:
        standard: which.
        vectors: (S, P, K, V) by method; K is 1 where it looks at films as a whole.
        real: (N, V) of real clips.
        apart: whether those are clips that no pair is from; else they are those of the pairs.
    """

    standard: Standard
    vectors: dict[str, Floats]
    real: Floats
    apart: bool

    @property
    def made(self) -> int:
        """How many samples of each method, and of each seed and training, are set beside the real ones."""
        _, pairs, each, _ = next(iter(self.vectors.values())).shape
        return pairs * each

    @property
    def note(self) -> str:
        """What is to be known of so few samples; empty where there are enough."""
        width, few = self.standard.kind.width, min(self.made, len(self.real))
        if few >= width:
            return ""
        return (
            f"{self.standard.kind.measure.title} rests on {few} samples, fewer than the {width} numbers of a vector: "
            "it comes out far too high, and can be set beside nothing but the same measure in this table."
        )

    def words(self) -> str:
        """Say by which network, which weights and how many samples it is."""
        kind, mark = self.standard.kind, self.standard.mark
        whose = "of real clips that no pair is from" if self.apart else "of the pairs' own real clips"
        return (
            f"{kind.measure.title}: {kind.network}; weights {mark.ref} (sha256 {mark.sha256}); {kind.resized}; "
            f"{self.made} {kind.samples} of each method and seed beside {len(self.real)} {whose}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        kind = self.standard.kind
        return {
            "network": kind.network,
            "weights": vars(self.standard.mark),
            "resized": kind.resized,
            "samples": kind.samples,
            "made": self.made,
            "real": len(self.real),
            "real clips": "that no pair is from" if self.apart else "of the pairs",
            "dimensions": kind.width,
            "note": self.note,
        }


class Looks:
    """What the standard networks see, collected clip by clip; what they saw before is taken from where it is kept.

    Args:
        standards: whose.
        turns: how many clips each method makes of a pair.
        kept: where.
    """

    def __init__(self, standards: Sequence[Standard], turns: Mapping[str, int], kept: Kept) -> None:
        self._kept = kept
        self._rows: list[tuple[Standard, dict[str, list[list[Floats]]]]] = [
            (one, {name: [[] for _ in range(turn)] for name, turn in turns.items()}) for one in standards
        ]

    def see(self, name: str, turn: int, films: Sequence[Frame], digests: Sequence[str], progress: Progress) -> None:
        """Look at the next films (F, H, W, 3) of a method, each with the checksum of what decided it."""
        for standard, rows in self._rows:
            for film, digest in zip(films, digests, strict=True):
                rows[name][turn].append(_seen(standard, film, digest, self._kept))
                progress.check()

    def sights(self, real: str, others: Sequence[Pair], progress: Progress) -> tuple[Sight, ...]:
        """Return what was seen of everybody, beside other real clips; where there are none, beside those of the pairs.

        Args:
            real: the name under which real clips were seen.
            others: real clips that no pair is from.
            progress: a step for each of them.
        """
        if not self._rows:
            return ()
        beside: list[list[Floats]] = [[] for _ in self._rows]
        for pair in progress.each(others, "more real clips", share=0):
            film = pair.read().frames
            digest = hashlib.sha256(film.tobytes()).hexdigest() + f" {film.shape}"
            for (standard, _), found in zip(self._rows, beside, strict=True):
                found.append(_seen(standard, film, digest, self._kept))
        sights = []
        for (standard, rows), found in zip(self._rows, beside, strict=True):
            vectors = {name: np.array(row) for name, row in rows.items()}
            own = vectors[real].reshape(-1, vectors[real].shape[-1])
            sights.append(Sight(standard, vectors, np.concatenate(found) if found else own, bool(found)))
        return tuple(sights)


def load_standard(key: str, weights: Path, *, device: str | None = None) -> Standard:
    """Load the network of one of `KINDS` with its weights; see the loaders for what is refused."""
    network = KINDS[key].load(weights, device=device)
    return Standard(KINDS[key], network, ModelMark(weights.name, sha256_of_file(weights)))


def check_standards(standards: Sequence[Standard], material: Material) -> None:
    """Refuse material of which a distance cannot be told."""
    for one in standards:
        title, flag = one.kind.measure.title, f"--{one.kind.measure.key}"
        if len(material.pairs) < FEWEST:
            raise InputError(
                f"{title} takes {FEWEST} pairs or more, so that a spread can be told; there are {len(material.pairs)}.",
                f"Give it more, or leave {flag} out.",
            )
        if material.frames < one.kind.fewest:
            raise InputError(
                f"{title} takes clips of {one.kind.fewest} frames or more; these have {material.frames}.",
                f"Set --frames, or leave {flag} out.",
            )


def _seen(standard: Standard, film: Frame, digest: str, kept: Kept) -> Floats:
    key = f"{digest} {standard.kind.measure.key} {standard.mark.sha256} {_LOOKED}"
    name = hashlib.sha256(key.encode()).hexdigest()
    vectors = _unpacked(kept.numbers(name) or {})
    if vectors is None:
        vectors = standard.look(film)
        kept.keep_numbers(name, _packed(vectors))
    return vectors


def _packed(vectors: Floats) -> dict[str, Any]:
    """Write vectors so that they fit among kept numbers: in figures they would take four times the room."""
    return {"shape": list(vectors.shape), "float32": base64.b64encode(vectors.astype("<f4").tobytes()).decode()}


def _unpacked(row: dict[str, Any]) -> Floats | None:
    try:
        return np.frombuffer(base64.b64decode(row["float32"]), "<f4").reshape(row["shape"])
    except (KeyError, TypeError, ValueError):
        return None
