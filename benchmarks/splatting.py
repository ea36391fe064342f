"""How fast splatting is: milliseconds, and the ratio to one `index_add` per corner and channel, in the same run.

    python benchmarks/splatting.py [540 1080 2160] [--threads 2] [--rounds 7]

The two are timed in turn and the best of each is kept, since other work on the machine only ever adds time. The motion
is smooth, up to about a tenth of the picture's height, as an estimated one is.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from keyweave.maths.splatting import Mode, splat, splat_with_weight

CHANNELS = 4
CASES: tuple[tuple[Mode, float], ...] = (("average", 0), ("softmax", 20), ("softmax", 200))  # and how far metrics reach


def naive(source: Tensor, flow: Tensor, metric: Tensor | None) -> Tensor:  # (1, C, H, W), (1, 2, H, W), (1, 1, H, W)
    """Average, or softmax by `metric`: the textbook loop over corners and channels."""
    height, width = source.shape[2:]
    layers = torch.cat([source[0], torch.ones_like(source[0, :1])])
    if metric is not None:
        layers = layers * (metric[0] - metric.max()).exp()
    x = torch.arange(width) + flow[0, 0]
    y = torch.arange(height)[:, None] + flow[0, 1]
    left, top = x.floor(), y.floor()
    sums = source.new_zeros(CHANNELS + 1, height * width)
    for column, wide in ((left, left + 1 - x), (left + 1, x - left)):
        for row, tall in ((top, top + 1 - y), (top + 1, y - top)):
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            place = (row * width + column).long()[inside]
            share = (wide * tall)[inside]
            for layer, total in zip(layers, sums, strict=True):
                total.index_add_(0, place, layer[inside] * share)
    values, weight = sums[:-1], sums[-1:]
    return (values / weight.where(weight > 0, torch.inf)).view(1, CHANNELS, height, width)


def milliseconds(work: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def compare(height: int, mode: Mode, reach: float, rounds: int) -> str:
    """Return one row of the table."""
    width = height * 16 // 9
    torch.manual_seed(0)
    source = torch.rand(1, CHANNELS, height, width)
    flow = interpolate(torch.randn(1, 2, 5, 8), (height, width), mode="bicubic") * height / 30
    metric = torch.rand(1, 1, height, width) * reach if reach else None
    fast, weight = splat_with_weight(source, flow, metric, mode=mode)
    # In float32 the naive way rounds its positions, and loses what lies 87 below the largest metric.
    exact = naive(source.double(), flow.double(), None if metric is None else metric.double())
    apart = ((fast - exact).abs() * (weight > 0.01)).max()
    slow_ms, fast_ms = [], []
    for _ in range(rounds):
        slow_ms.append(milliseconds(lambda: naive(source, flow, metric)))
        fast_ms.append(milliseconds(lambda: splat(source, flow, metric, mode=mode)))
    before, after = min(slow_ms), min(fast_ms)
    label = f"{mode}, {reach:.0f}" if reach else mode
    return f"{width:>5}x{height:<4}  {label:<12} {before:7.1f} ms {after:7.1f} ms  {before / after:5.1f}  {apart:.0e}"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("heights", type=int, nargs="*", default=[540, 1080, 2160])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{CHANNELS} channels, {options.threads} threads, best of {options.rounds}")
    print("   picture  mode, reach       naive      splat  ratio  largest error")
    for height in options.heights:
        for mode, reach in CASES:
            print(compare(height, mode, reach, options.rounds), flush=True)


if __name__ == "__main__":
    main()
