"""Windows of clips as latents: made once, kept, and made again when anything that decides them has changed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from keyweave.base.errors import InputError, KeyweaveError
from keyweave.base.files import replacing
from keyweave.base.progress import SILENT, Progress
from keyweave.diffusion.image_to_video import seen_by_encoder
from keyweave.diffusion.noise import gaussian
from keyweave.diffusion.told import TOLD
from keyweave.diffusion.vae import encode
from keyweave.maths.tensors import to_tensor
from keyweave.models.headers import read_header
from keyweave.systems.inbetween.train import Clips

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from keyweave.media.types import Frame
    from keyweave.models.loading import VideoModel
    from keyweave.systems.inbetween.footage import Reel

_PIXELS = 2**20  # that go through the autoencoder at once
_ENDING = ".safetensors"


@dataclass(frozen=True)
class Shelf:
    """Where latents are kept.

    Args:
        folder: holds nothing else.
        model: what encodes.
        digest: of the parts of the model that encode.
    """

    folder: Path
    model: VideoModel
    digest: str

    def path(self, reel: Reel) -> Path:
        """Return where the latents of a reel lie, or would."""
        precision = str(self.model.unet.dtype)
        facts = {**reel.facts, "models": self.digest, "precision": precision, "augmentation": TOLD.augmentation}
        return self.folder / (hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24] + _ENDING)


def prepare(
    shelf: Shelf, reels: Sequence[Reel], *, share: tuple[int, int] = (0, 1), progress: Progress = SILENT
) -> None:
    """Encode what is not on the shelf yet; a reel without a usable window is left out, and why is said.

    Args:
        shelf: where to.
        reels: what.
        share: which of how many processes this is.
        progress: a step for each reel.
    """
    from safetensors.torch import save_file  # noqa: PLC0415 - an extra

    shelf.folder.mkdir(parents=True, exist_ok=True)
    for number in range(share[0], len(reels), share[1]):
        path = shelf.path(reels[number])
        if not _is_whole(path) and (found := _encoded(shelf.model, reels[number], path.stem, progress)):
            with replacing(path, overwrite=True) as part:
                save_file(found, part)
        progress.step()


def clear(shelf: Shelf, reels: Sequence[Reel]) -> None:
    """Remove from the shelf what none of these reels needs."""
    needed = {shelf.path(reel) for reel in reels}
    for path in shelf.folder.glob(f"*{_ENDING}"):
        if path not in needed:
            path.unlink()


def read(shelf: Shelf, reels: Sequence[Reel]) -> list[Clips]:
    """Return what each reel gave, those left out that gave nothing."""
    from safetensors.torch import load_file  # noqa: PLC0415

    paths = [path for reel in reels if (path := shelf.path(reel)).exists()]
    return [Clips(**load_file(path)) for path in paths]


def joined(parts: Sequence[Clips]) -> Clips:
    """Return parts that came from a shelf as one."""
    return Clips(**{name: torch.cat([vars(part)[name] for part in parts]) for name in vars(parts[0])})


def _is_whole(path: Path) -> bool:
    try:
        return path.exists() and bool(read_header(path))
    except KeyweaveError:
        return False


@torch.no_grad()
def _encoded(model: VideoModel, reel: Reel, name: str, progress: Progress) -> dict[str, Tensor]:
    """Encode all windows of a reel; nothing if there is none."""
    rows: list[dict[str, Tensor]] = []
    try:
        for number, window in enumerate(reel.windows()):
            rows.append(_row(model, window, name, number))
            progress.check()
    except InputError as fault:  # of this clip; the others may be better
        kept = f" after {len(rows)} training clips" if rows else ""
        progress.warn(f"{reel.name} is left out{kept}: {fault.message}")
    return {key: torch.stack([row[key] for row in rows]) for key in rows[0]} if rows else {}


def _row(model: VideoModel, window: Frame, name: str, number: int) -> dict[str, Tensor]:
    device = model.place.device  # the networks may be elsewhere until they are called
    frames = to_tensor(window).to(device)
    together = max(1, _PIXELS // int(np.prod(frames.shape[2:])))
    latents = torch.cat([encode(model.vae, part).mode() for part in frames.split(together)])
    ends = frames[[0, -1]]
    # Each picture has noise of its own, but the same in every step: pictures are encoded once.
    noise = torch.stack([gaussian(tuple(ends.shape[1:]), 0, name, number, end) for end in ("start", "stop")])
    told = torch.cat([encode(model.vae, one[None]).mode() for one in ends + TOLD.augmentation * noise.to(device)])
    seen = model.image_encoder(seen_by_encoder(model.image_processor, ends).to(model.unet.dtype)).image_embeds
    values = {"latents": latents, "firsts": seen[0], "lasts": seen[1], "starts": told[0], "stops": told[1]}
    return {key: value.half().cpu().contiguous() for key, value in values.items()}
