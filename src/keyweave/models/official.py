"""The checkpoint that the authors of Generative Inbetweening publish, as an adapter: what its tuning changed.

They publish all of a UNet that makes 14 frames, in which only the values and outputs of attention over time were tuned.
It is read beside the model that it was tuned from, one tensor at a time.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from datetime import date
from typing import TYPE_CHECKING, Any

import torch

from keyweave.base.errors import ModelError
from keyweave.base.extras import need
from keyweave.base.files import refuse_existing
from keyweave.base.progress import SILENT, Progress
from keyweave.models.adapters import Adapter, check_fits, checksum_of_base, refuse_infinite, write_adapter
from keyweave.models.card import ModelCard
from keyweave.models.finding import folder_of, is_folder
from keyweave.models.folders import (
    CONFIG,
    INDEX,
    headers,
    read_class,
    read_object,
    refuse_class,
    refuse_kind,
    refuse_pickles,
)
from keyweave.models.headers import AGAIN
from keyweave.models.layouts import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from keyweave.models.finding import Found

_UNET = LAYOUTS["svd"].parts["unet"]
_TUNED = re.compile(r"(?P<layer>.+\.temporal_transformer_blocks\.\d+\.attn1)\.(?P<part>to_v|to_out\.0)\.weight")
# How the checkpoint's numbers and the base's were rounded since they were the same. What is stored does not tell: the
# authors' tuning began from numbers of float16 and was saved in float32.
_WHOLE, _HALF, _BRAIN = torch.float32, torch.float16, torch.bfloat16
_ROUNDINGS = ((_WHOLE, _WHOLE), (_WHOLE, _HALF), (_WHOLE, _BRAIN), (_HALF, _WHOLE), (_BRAIN, _WHOLE))
# Which makes 25 frames with the same layers: the authors run it on that.
OF_MORE_FRAMES = ("stable-video-diffusion-img2vid-xt",)
_RIGHT_BASE = (
    "Name with --base the model of 14 frames that it was tuned from: hub:stabilityai/stable-video-diffusion-img2vid."
)


def convert_official(
    official: Path,
    base: Found,
    output: Path,
    *,
    fits: Sequence[str] = OF_MORE_FRAMES,
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> Adapter:
    """Write what the authors' tuning changed as an adapter, and return it.

    Args:
        official: the authors' folder, or the `unet` in it.
        base: the image-to-video model that it was tuned from.
        output: a `.safetensors` file.
        fits: names of models that it is for, besides the base, which is known by its checksum.
        overwrite: replace the output if it exists.
        progress: a step for each tensor.

    Raises:
        ModelError: the checkpoint is none, is damaged, or differs from the base elsewhere or nowhere.
        MissingExtra: safetensors is not installed.
    """
    check_fits(fits)
    refuse_existing(output, overwrite=overwrite)
    refuse_kind(base.ref, base.kind, "image-to-video")
    tuned, untuned = _unet_of(official), base.folder / _UNET.folder
    frames, base_frames = (read_object(unet / CONFIG).get("num_frames") for unet in (tuned, untuned))
    if frames != base_frames:
        raise ModelError(f"{tuned} makes {frames} frames, and {base.ref} makes {base_frames}.", _RIGHT_BASE)
    with ExitStack() as files:
        differences = _differences(_Weights(tuned, files), _Weights(untuned, files), base.ref, progress)
    known = checksum_of_base(base.folder, differences)
    adapter = Adapter(differences, tuple(differences), _card(official, base, output, fits), (known, *fits))
    write_adapter(output, adapter, overwrite=overwrite)
    return adapter


class _Weights:
    """Tensors of a network by their names, read when they are asked for.

    Args:
        unet: its folder.
        files: closes them.
    """

    def __init__(self, unet: Path, files: ExitStack) -> None:
        safetensors = need("safetensors", "converting an adapter")
        self.unet = unet
        self._files: dict[str, Any] = {}
        for path in headers(unet):
            try:
                file = files.enter_context(safetensors.safe_open(str(path), framework="pt"))
            except safetensors.SafetensorError:
                raise ModelError(f"{path} is damaged: its names cannot be read.", AGAIN) from None
            self._files |= dict.fromkeys(file.keys(), file)

    def shapes(self) -> dict[str, list[int]]:
        """Return the shape of each, by its name."""
        return {name: file.get_slice(name).get_shape() for name, file in sorted(self._files.items())}

    def read(self, name: str, rounded: torch.dtype = _WHOLE) -> Tensor:
        """Read one in float32, as if it had been stored in another precision."""
        return self._files[name].get_tensor(name).to(rounded).float()


def _unet_of(official: Path) -> Path:
    folder = folder_of(str(official.expanduser().absolute()))
    inside = folder / _UNET.folder
    unet = inside if inside.is_dir() or (folder / INDEX).is_file() else folder
    if not (unet / CONFIG).is_file():
        refuse_pickles([path.name for path in folder.iterdir()], str(folder))
        raise ModelError(f"{folder} has no UNet: {unet / CONFIG} is missing.", "Name the folder with unet/ in it.")
    refuse_class(unet, read_class(unet), _UNET.classes)
    return unet


def _differences(official: _Weights, base: _Weights, ref: str, progress: Progress) -> dict[str, dict[str, Tensor]]:
    names = _common_names(official, base, ref)
    tuned = {name: match for name in names if (match := _TUNED.fullmatch(name))}
    rounding = _rounding(official, base, [name for name in names if name not in tuned], ref, progress)
    found: dict[str, dict[str, Tensor]] = {}
    for name, match in progress.each(tuned.items(), "subtracting", share=0.1):
        if not _equal(official, base, name, rounding):
            difference = (official.read(name) - base.read(name, rounding[1])).half()
            refuse_infinite(difference, official.unet, name)
            found.setdefault(match["layer"], {})[match["part"]] = difference
    if not found:
        raise ModelError(f"{official.unet} is {ref} itself: nothing in it was tuned.", "Name the authors' checkpoint.")
    return found


def _common_names(official: _Weights, base: _Weights, ref: str) -> list[str]:
    """Return the names of all tensors, which both must have in the same shapes."""
    ours, theirs = official.shapes(), base.shapes()
    odd = [name for name in sorted(ours.keys() | theirs.keys()) if ours.get(name) != theirs.get(name)]
    if odd:
        raise ModelError(
            f"{official.unet} is no network like {ref}: {len(odd)} tensors are missing or misshapen ({odd[0]}).",
            _RIGHT_BASE,
        )
    return list(ours)


def _rounding(
    official: _Weights, base: _Weights, untouched: Sequence[str], ref: str, progress: Progress
) -> tuple[torch.dtype, torch.dtype]:
    """Find the rounding that explains all differences of the tensors that were not tuned."""
    needed, odd = 0, []
    for name in progress.each(untouched, "comparing", share=0.9):
        fitting = (
            number
            # Those from `needed` on first: it holds for nearly all.
            for number in [*range(needed, len(_ROUNDINGS)), *range(needed)]
            if _equal(official, base, name, _ROUNDINGS[number])
        )
        fit = next(fitting, None)
        if fit is None:
            odd.append(name)
        else:
            needed = max(needed, fit)
    if odd:
        raise ModelError(
            f"{official.unet} was not tuned from {ref} as the authors did: {len(odd)} of {len(untouched)} tensors that "
            f"should be the same differ, first {odd[0]}.",
            _RIGHT_BASE,
        )
    return _ROUNDINGS[needed]


def _equal(official: _Weights, base: _Weights, name: str, rounding: tuple[torch.dtype, torch.dtype]) -> bool:
    return official.read(name, rounding[0]).equal(base.read(name, rounding[1]))


def _card(official: Path, base: Found, output: Path, fits: Sequence[str]) -> ModelCard:
    # As in a recipe: nothing of the disk beyond a name.
    ref = f"./{base.folder.name}" if is_folder(base.ref) else base.ref
    typed = "" if tuple(fits) == OF_MORE_FRAMES else f" --fits {' '.join(fits)}"
    return ModelCard(
        name="svd-inbetween",
        kind="adapter",
        says="The backward branch of Generative Inbetweening, taken from a checkpoint in its authors' form.",
        data="Not recorded in the checkpoint; the paper (arXiv 2408.15239) tells of 100 clips, never published.",
        recipe=f"keyweave models convert-adapter {official.absolute().name} --base {ref} -o {output.name}{typed}",
        seed=0,
        steps=0,
        hours=0,
        hardware="Not recorded in the checkpoint; the paper tells of four A100.",
        trained=date(2024, 8, 27),
        limits="How it was trained is not known beyond the paper: seed, steps and hours are 0 for want of knowledge, "
        "and the day is the paper's. It fits only models of the Stable Video Diffusion family.",
        license="NOASSERTION: the authors' code is Apache-2.0, but no licence of their weights was found; ask them "
        "before you publish these. The base model's terms hold too.",
        base=ref,
    )
