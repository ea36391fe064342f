"""Forward warping: every pixel is thrown to where its motion takes it (softmax splatting, Niklaus & Liu 2020).

With b the bilinear share of source pixel q in target pixel p, and v, m its value and metric:

    sum      S b v                       average   S b v / S b
    linear   S b m v / S b m             softmax   S b exp(m) v / S b exp(m)

Splatting is the transpose of bilinear sampling, and its gradients are worked out as such, on every device. Its forward
pass has a plain construction here, one that is made for the CPU in `strips`, and one for graphics cards in `kernel`,
which is taken where Triton can build it.
"""

from __future__ import annotations

import math
from functools import cache
from logging import getLogger
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from keyweave.base.extras import installed
from keyweave.maths.landing import corners
from keyweave.maths.strips import LIFT, splat_in_strips

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    Construction = Callable[[Tensor, Tensor, Tensor | None, Tensor | None], Tensor]

_log = getLogger(__name__)

Mode = Literal["sum", "average", "linear", "softmax"]
FAINT = 1e-20  # a smaller total weight counts as none; its gradient could not be told from infinity


def splat(
    source: Tensor,  # (N, C, H, W)
    flow: Tensor,  # (N, 2, H, W) pixels (dx, dy)
    metric: Tensor | None = None,  # (N, 1, H, W)
    *,
    mode: Mode,
) -> Tensor:  # (N, C, H, W)
    """Move every pixel of `source` along `flow`; where several meet, `mode` and `metric` decide.

    Args:
        source: any channels; float32, float64, or a half precision, which is summed in float32.
        flow: what falls outside the picture is lost, and so is a pixel whose flow is not finite.
        metric: who wins in the modes linear (a weight above 0) and softmax (any size: the larger is in front). A pixel
            whose metric is not finite is lost.
        mode: how the pixels that meet are merged.

    Returns:
        The moved picture; 0 where nothing falls. Differentiable once in `source`, `flow` and `metric`.
    """
    return splat_with_weight(source, flow, metric, mode=mode)[0]


def splat_with_weight(
    source: Tensor,  # (N, C, H, W)
    flow: Tensor,  # (N, 2, H, W) pixels (dx, dy)
    metric: Tensor | None = None,  # (N, 1, H, W)
    *,
    mode: Mode,
) -> tuple[Tensor, Tensor]:  # (N, C, H, W) and (N, 1, H, W)
    """Splat, and say how much fell on each pixel: the sum of bilinear shares, whatever the mode and the metric.

    The weight is 0 in a hole, 1 where one pixel's worth has come, more where several meet; near the rim of a hole it
    falls towards 0. The arguments are those of `splat`.
    """
    _check(source, flow, metric, mode)
    precision = torch.promote_types(source.dtype, torch.float32)
    flow, peak = flow.to(precision), None
    if metric is not None:
        metric = metric.to(precision)
        known = metric.isfinite()
        if not known.all():
            flow, metric = flow.where(known, torch.nan), metric.where(known, 0)
    if metric is not None and mode == "softmax":
        metric, peak = _stabilised(metric, flow)
    sums: Tensor = _Splat.apply(source.to(precision), flow, metric, peak)
    channels = source.shape[1]
    values, total = sums[:, :channels], sums[:, channels : channels + 1]
    if mode != "sum":
        values = values / total.where(total.abs() > FAINT, torch.inf)
    return values.to(source.dtype), sums[:, -1:]


def splat_plainly(
    source: Tensor,  # (N, C, H, W)
    flow: Tensor,  # (N, 2, H, W)
    metric: Tensor | None,  # (N, 1, H, W)
    peak: Tensor | None,  # (N, 1, (H + 4) * (W + 4))
) -> Tensor:  # (N, C + 1 or C + 2, H, W)
    """Return the sums of weighted values, of weights, and of shares where these are not the weights."""
    count, channels, height, width = source.shape
    values = source.flatten(2)
    sums = source.new_zeros(count, channels + (1 if metric is None else 2), (height + 4) * (width + 4))
    for place, share in corners(flow):
        weight = _weight(place, share, metric, peak)
        sums[:, :channels].scatter_add_(2, place.expand(-1, channels, -1), values * weight)
        sums[:, channels : channels + 1].scatter_add_(2, place, weight)
        if metric is not None:
            sums[:, -1:].scatter_add_(2, place, share)
    return sums.unflatten(2, (height + 4, width + 4))[..., 2:-2, 2:-2].contiguous()


def _weight(place: Tensor, share: Tensor, metric: Tensor | None, peak: Tensor | None) -> Tensor:
    """Return a corner's share times its metric, or times the exponential of what the metric is less the peak there."""
    if metric is None:
        return share
    if peak is None:
        return share * metric.flatten(2)
    return share * (metric.flatten(2) - peak.gather(2, place)).clamp(max=LIFT).exp()


def _stabilised(metric: Tensor, flow: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return weights for softmax, as weights at once or as exponents and the largest term at each target pixel.

    Any constant may be taken off the exponents. One for the whole picture is enough while they lie close together;
    where they do not, all that one very large metric leaves far behind would vanish, even where it is alone. Then the
    logarithm of the largest weight at each target is taken off, so that their sum is at least 1. A share so small that
    its weight would be lifted by more than exp(LIFT) takes no part in that, and cannot drown the others.
    """
    lowest, highest = metric.detach().amin((1, 2, 3), keepdim=True), metric.detach().amax((1, 2, 3), keepdim=True)
    if (highest - lowest).max() <= 2 * LIFT:
        return (metric - (lowest + highest) / 2).exp(), None
    count, _, height, width = metric.shape
    exponents = metric.detach().flatten(2)
    peak = metric.new_full((count, 1, (height + 4) * (width + 4)), -torch.inf)
    for place, share in corners(flow.detach()):
        terms = (exponents + share.log()).where(share > math.exp(-LIFT), -torch.inf)
        peak.scatter_reduce_(2, place, terms, "amax")
    return metric, peak


def _construction(device: torch.device) -> Construction:
    """Return the fastest construction for a device. What a card adds comes in any order, unless that is forbidden."""
    if device.type == "cpu":
        return splat_in_strips
    any_order = device.type == "cuda" and not torch.are_deterministic_algorithms_enabled()
    return (_built(device) if any_order else None) or splat_plainly


@cache
def _built(device: torch.device) -> Construction | None:
    """Return the kernel for a card, once it has moved a pixel there: Triton needs a new card and a C compiler."""
    if not installed("triton"):
        return None
    try:
        from keyweave.maths.kernel import splat_in_blocks  # noqa: PLC0415 - most machines have no Triton

        splat_in_blocks(torch.zeros(1, 1, 1, 1, device=device), torch.zeros(1, 2, 1, 1, device=device), None, None)
    except Exception as fault:  # noqa: BLE001 - Triton raises what it likes, and the plain way remains
        _log.warning("Splatting on %s takes the plain way, since Triton cannot build its kernel: %s", device, fault)
        return None
    return splat_in_blocks


class _Splat(torch.autograd.Function):
    """The sums of `splat_plainly`, made fast where they can be."""

    @staticmethod
    def forward(ctx: Any, source: Tensor, flow: Tensor, metric: Tensor | None, peak: Tensor | None) -> Tensor:
        ctx.save_for_backward(source, flow, metric, peak)
        return _construction(source.device)(source, flow, metric, peak)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        given = zip(ctx.saved_tensors, ctx.needs_input_grad, strict=True)
        inputs: list[Any] = [None if tensor is None else tensor.detach().requires_grad_(need) for tensor, need in given]
        with torch.enable_grad():
            product = _sampled_product(grad_outputs[0], *inputs)
        wanted = [tensor for tensor in inputs if tensor is not None and tensor.requires_grad]
        found = iter(torch.autograd.grad(product, wanted))
        return tuple(next(found) if need else None for need in ctx.needs_input_grad)


def _sampled_product(
    target: Tensor,  # (N, C + 1 or C + 2, H, W)
    source: Tensor,  # (N, C, H, W)
    flow: Tensor,  # (N, 2, H, W)
    metric: Tensor | None,  # (N, 1, H, W)
    peak: Tensor | None,  # (N, 1, (H + 4) * (W + 4))
) -> Tensor:  # ()
    """Return <target, splat(source)> by sampling the target, which is how autograd can differentiate it cheaply."""
    values, channels = source.flatten(2), source.shape[1]
    target = pad(target, (2, 2, 2, 2)).flatten(2)
    product = source.new_zeros(())
    for place, share in corners(flow):
        seen = target.gather(2, place.expand(-1, target.shape[1], -1))
        worth = (values * seen[:, :channels]).sum(1, keepdim=True) + seen[:, channels : channels + 1]
        product = product + (_weight(place, share, metric, peak) * worth).sum()
        if metric is not None:
            product = product + (share * seen[:, -1:]).sum()
    return product


def _check(source: Tensor, flow: Tensor, metric: Tensor | None, mode: Mode) -> None:
    if mode not in ("sum", "average", "linear", "softmax"):
        raise ValueError(f"mode is sum, average, linear or softmax; got {mode!r}")
    if (metric is None) != (mode in ("sum", "average")):
        raise ValueError(f"mode {mode} {'takes no' if metric is not None else 'needs a'} metric")
    count, _, height, width = source.shape
    for name, tensor, channels in (("flow", flow, 2), ("metric", metric, 1)):
        if tensor is not None and tensor.shape != (count, channels, height, width):
            raise ValueError(f"{name} {tuple(tensor.shape)} does not fit a source {tuple(source.shape)}")
    if not source.is_floating_point():
        raise ValueError(f"source is floating point; got {source.dtype}")
