"""A start for small autoencoders: before it has learnt anything, one already hands on a small picture in full colour.

The class normalises its channels in 32 groups. With few channels in each, flat colours are lost in the norm, and are
learnt very slowly. So six channels, +R, -R, +G, -G, +B and -B, get a group each, whose other channels hold constants +b
and -b: these fix the spread of the group, so that the norm hardly touches the colour. Going down averages, going up
blurs, everything else in the blocks starts at nothing, and silu(y) - silu(-y) = y undoes the curve before the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
    from torch import Tensor

_GROUPS = 32
_HELD = 2.0  # b, far above what a colour comes to
_SIGNALS = 6
_ROOM = {3: 1.0, 4: 0.75}  # colours widen a group's spread a little more where it has a channel that is nothing
_QUIET = -4.0  # the logarithm of the latents' variance: they start almost without noise
_LATENT_GAIN = 2.0


@torch.no_grad()
def start_as_thumbnail(autoencoder: AutoencoderKLTemporalDecoder) -> None:
    """Set the weights of a fresh autoencoder with three or four times 32 channels on every level."""
    for name, part in autoencoder.named_modules():
        if name.endswith(("conv2", "to_out.0")) and isinstance(part, nn.Conv2d | nn.Conv3d | nn.Linear):
            _empty(part)
        if isinstance(part, nn.Conv2d) and part.out_channels % _GROUPS == 0:
            _hand_on(name, part)
    _narrow(autoencoder)
    for name, parameter in autoencoder.decoder.named_parameters():
        if parameter.ndim == 5 and not name.startswith("time_conv_out"):
            parameter[:, :, 0] = 0
            parameter[:, :, 2] = 0
    last = autoencoder.decoder.time_conv_out
    _empty(last)
    for color in range(3):
        last.weight[color, color, 1] = 1


def _hand_on(name: str, conv: nn.Conv2d) -> None:
    """Let a convolution that writes to the trunk hand the six signals on."""
    if name.endswith("conv_in"):
        # The decoder takes back what the latents were enlarged by.
        gain = 1.0 if name.startswith("encoder") else 1 / _LATENT_GAIN
        sources = [(signal // 2, gain * _sign(signal) * _point(3)) for signal in range(_SIGNALS)]
    elif "downsamplers" in name:
        sources = [(row, _box()) for row in _rows(conv.in_channels)]
    elif "upsamplers" in name:
        sources = [(row, _blur()) for row in _rows(conv.in_channels)]
    elif name.endswith("conv_shortcut"):
        sources = [(row, torch.ones(1, 1)) for row in _rows(conv.in_channels)]
    else:
        return
    assert conv.bias is not None
    wide = conv.out_channels // _GROUPS
    for row, (source, kernel) in zip(_rows(conv.out_channels), sources, strict=True):
        conv.weight[row : row + wide] = 0
        conv.bias[row : row + wide] = 0
        conv.bias[row + wide - 2], conv.bias[row + wide - 1] = _HELD, -_HELD
        conv.weight[row, source] = kernel


def _narrow(autoencoder: AutoencoderKLTemporalDecoder) -> None:
    """Set where the trunk becomes latents, and where it becomes a picture."""
    encoder, decoder, quant = autoencoder.encoder, autoencoder.decoder, autoencoder.quant_conv
    channels = quant.out_channels // 2
    assert encoder.conv_out.bias is not None
    assert quant.bias is not None
    encoder.conv_out.weight[:3] = 0
    encoder.conv_out.bias[:3] = 0
    _empty(decoder.conv_out)
    nn.init.zeros_(quant.bias)
    for conv, gain in ((encoder.conv_out, _LATENT_GAIN), (decoder.conv_out, 1.0)):
        for signal, row in enumerate(_rows(conv.in_channels)):
            conv.weight[signal // 2, row] = gain * _sign(signal) * _spread(conv.in_channels) * _point(3)
    quant.weight[:3] = 0
    for color in range(3):
        quant.weight[color, color] = 1
    quant.weight[3:channels] *= 3
    quant.weight[channels:] = 0
    quant.bias[channels:] = _QUIET


def _empty(part: nn.Conv2d | nn.Conv3d | nn.Linear) -> None:
    nn.init.zeros_(part.weight)
    if part.bias is not None:
        nn.init.zeros_(part.bias)


def _rows(channels: int) -> Iterator[int]:
    """Return the first channel of each signal's group."""
    return iter(range(0, _SIGNALS * (channels // _GROUPS), channels // _GROUPS))


def _sign(signal: int) -> float:
    return 1.0 if signal % 2 == 0 else -1.0


def _spread(channels: int) -> float:
    """Return what a norm divides a signal by."""
    wide = channels // _GROUPS
    return _HELD * (2 / wide) ** 0.5 / _ROOM[wide]


def _point(size: int) -> Tensor:
    kernel = torch.zeros(size, size)
    kernel[size // 2, size // 2] = 1
    return kernel


def _box() -> Tensor:
    kernel = torch.zeros(3, 3)
    kernel[:2, :2] = 0.25
    return kernel


def _blur() -> Tensor:
    line = torch.tensor([1.0, 2.0, 1.0]) / 4
    return line[:, None] * line
