"""What two directions in one network cost, beside two networks as the paper has them: seconds and peak memory.

    python benchmarks/inbetween.py [--size tiny|full] [--device cuda] [--dtype float16] [--steps 4] [--json FILE]

`plain` is algorithm 2 of the paper written down: a copy of the network with the adapter's matrices in it, every map of
temporal self-attention kept from one network, flipped on both axes and multiplied with the values of the other;
guidance as one batch of two. (The authors' code keeps three sets of maps; this keeps one.) `together` is keyweave's
way, both branches in one batch of one network, and `in turn` its way where memory is short. All have the same weights,
adapter, noise and levels, and must come to the same latents. The adapter turns all maps.

Weights are drawn at random, in the shape of keyweave's toy-video (tiny) or of SVD-XT (full), and so is what the network
is told: the figures are those of the sampler, without reading pictures and decoding latents. The ways take turns and
the best time of each is kept, since other work on the machine only ever adds time; on a CPU it is the processor's
time, of one thread unless more are asked for. Memory is what tensors take: the weights of a way's own networks, and on
top of it the most that was allocated while it sampled, as PyTorch's allocator counts it on a GPU and its profiler on a
CPU, in a run of its own of one step.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from keyweave.diffusion.denoisers import Condition, sigmas_of
from keyweave.diffusion.exchange import temporal_layers
from keyweave.diffusion.noise import gaussian
from keyweave.diffusion.samplers import again_and_again, steps_down, walk
from keyweave.recipes.video import family_scheduler, fresh_network
from keyweave.systems.inbetween.dual import Backward, average, two_ways

GUIDANCE = (1.0, 3.0)
NEAR = {"float32": 1e-4, "float16": 5e-2, "bfloat16": 2e-1}  # how far apart results may be, relative to their length
SIZES = {"tiny": (14, 64, 64), "full": (25, 1024, 576)}  # frames, width, height
MIB = 2**20
Pair = tuple[UNetSpatioTemporalConditionModel, UNetSpatioTemporalConditionModel]


@dataclass
class Row:
    """One way, measured."""

    way: str
    seconds: float
    weights: int  # bytes
    on_top: int
    apart: float  # from the plain way

    @property
    def bytes(self) -> int:
        return self.weights + self.on_top


@dataclass(frozen=True)
class Case:
    """All that the ways have in common."""

    unet: UNetSpatioTemporalConditionModel
    backward: Backward
    first: Condition
    last: Condition
    noise: Callable[..., Tensor]
    sigmas: Tensor
    path: list[int]

    @property
    def start(self) -> Tensor:
        return self.noise("latents") * (self.sigmas[0] ** 2 + 1).sqrt()


def network(size: str, device: str, dtype: torch.dtype) -> UNetSpatioTemporalConditionModel:
    """Return one that answers at random, and whose frames attend to one another in earnest."""
    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    with torch.device(device):
        if size == "tiny":
            unet = fresh_network()
            torch.nn.init.normal_(unet.conv_out.weight, std=0.05)  # it begins as nothing
        else:
            unet = UNetSpatioTemporalConditionModel(sample_size=96, num_attention_heads=(5, 10, 20, 20), num_frames=25)
    torch.set_default_dtype(torch.float32)
    for part in unet.modules():
        if type(part).__name__ == "AlphaBlender":
            part.get_parameter("mix_factor").detach().zero_()
    return unet.eval().requires_grad_(False)


def case(options: argparse.Namespace) -> Case:
    """Draw a network, an adapter for all its layers, and two ends."""
    dtype = getattr(torch, options.dtype)
    unet = network(options.size, options.device, dtype)
    layers = temporal_layers(unet)

    def matrix(layer: str, part: str) -> Tensor:
        weight: Any = unet.get_submodule(layer).get_submodule(part).weight
        return weight + 0.3 * weight.float().std() * gaussian(tuple(weight.shape), 0, layer, part).to(weight)

    weights = {layer: {part: matrix(layer, part) for part in ("to_v", "to_out.0")} for layer in layers}
    channels = unet.config["in_channels"] // 2
    shape = (options.frames, channels, options.height // 8, options.width // 8)

    def noise(*name: str | int) -> Tensor:
        return gaussian(shape, 0, *name)[None].to(options.device)

    def end(name: str) -> Condition:
        latents = gaussian((1, 1, *shape[1:]), 0, name).expand(1, *shape)
        seen = gaussian((1, 1, unet.config["cross_attention_dim"]), 0, name, "seen")
        ids = torch.tensor([[6, 127, 0.02]])
        return Condition(*(each.to(options.device, dtype) for each in (latents, seen, ids)))

    path = again_and_again(options.steps, options.repeats, 0.5)
    sigmas = sigmas_of(family_scheduler(), options.steps).to(options.device)
    return Case(unet, Backward(layers, weights), end("first"), end("last"), noise, sigmas, path)


class Kept:
    """Attention written out, which keeps its map or takes one that was kept, turned."""

    def __init__(self, maps: dict[str, Tensor], name: str, *, takes: bool) -> None:
        self.maps, self.name, self.takes = maps, name, takes

    def __call__(self, attn: Any, x: Tensor, *_: Any, **__: Any) -> Tensor:
        def heads(part: Any) -> Tensor:
            return part(x).unflatten(2, (attn.heads, -1)).transpose(1, 2)

        if self.takes:
            weights = self.maps[self.name].flip(2, 3)
        else:
            query, key = heads(attn.to_q), heads(attn.to_k)
            weights = self.maps[self.name] = (query @ key.transpose(2, 3) * query.shape[3] ** -0.5).softmax(3)
        return attn.to_out[0]((weights @ heads(attn.to_v)).transpose(1, 2).flatten(2))


@contextmanager
def two_networks(case: Case) -> Iterator[Pair]:
    """Yield both, with the processors of the paper."""
    before, maps = dict(case.unet.attn_processors), {}
    pair = case.unet, deepcopy(case.unet)
    for layer, row in case.backward.weights.items():
        for part, weight in row.items():
            pair[1].get_submodule(layer).get_submodule(part).get_parameter("weight").copy_(weight)
    for takes, unet in enumerate(pair):
        own: dict[str, Any] = {
            f"{name}.processor": Kept(maps, name, takes=bool(takes)) for name in case.backward.rotated
        }
        unet.set_attn_processor({**before, **own})
    yield pair
    case.unet.set_attn_processor(before)


def plain(case: Case, pair: Pair) -> Tensor:
    """Sample as algorithm 2 says, with re-noising and guidance as the authors' code has them."""
    ahead, back = (end.without_picture().beside(end) for end in (case.first, case.last))
    ramp = torch.linspace(*GUIDANCE, case.first.latents.shape[1])
    scale = ((ramp + ramp.flip(0)) / 2).to(case.sigmas)[:, None, None, None]

    def velocity(unet: Any, x: Tensor, sigma: Tensor, told: Condition) -> Tensor:
        scaled = (x / (sigma**2 + 1).sqrt()).to(told.latents.dtype)
        given = torch.cat([torch.cat([scaled] * 2), told.latents], dim=2)
        away, to = unet(given, sigma.log() / 4, told.embedding, told.ids, return_dict=False)[0].to(x.dtype).chunk(2)
        return away + scale * (to - away)

    x, draws = case.start, 0
    for here, there in zip(case.path[:-1], case.path[1:], strict=True):
        now, then = case.sigmas[here], case.sigmas[there]
        if there < here:
            x = x + (then**2 - now**2).sqrt() * case.noise("again", draws)
            draws += 1
            continue
        v = (velocity(pair[0], x, now, ahead) + velocity(pair[1], x.flip(1), now, back).flip(1)) / 2
        clean = x / (now**2 + 1) - v * now / (now**2 + 1).sqrt()
        x = x + (x - clean) / now * (then - now)
    return x


def ours(case: Case, *, in_turn: bool = False) -> Tensor:
    """Sample as keyweave does."""
    fusion = average(case.first.latents.shape[1], GUIDANCE)
    with two_ways(case.unet, case.first, case.last, fusion, case.backward, in_turn=in_turn) as denoise:
        return walk(denoise, case.start, case.sigmas, case.path, noise=lambda number, _: case.noise("again", number))


def seconds(work: Callable[[], object], device: str) -> float:
    """Return how long one call takes: on a CPU what it keeps busy, which other work on the machine does not change."""
    if device == "cpu":
        begun = time.process_time()
        work()
        return time.process_time() - begun
    torch.cuda.synchronize()
    begun = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - begun


def peak(work: Callable[[], Tensor], device: str) -> int:
    """Return the most bytes that were allocated beyond those that were there before."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        work()
    recorder: Any = seen.profiler
    events = [event for event in recorder.kineto_results.events() if event.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


def size_of(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def apart(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


@torch.no_grad()
def measure(case: Case, rounds: int) -> tuple[list[Row], float]:
    """Return a row for each way, and how far off the result would be if no map were turned."""
    device = case.start.device.type
    network = size_of(case.unet.parameters())
    adapter = size_of(matrix for row in case.backward.weights.values() for matrix in row.values())
    with two_networks(case) as pair:
        ways: dict[str, tuple[int, Callable[[Case], Tensor]]] = {
            "plain": (2 * network, lambda case: plain(case, pair)),
            "together": (network + adapter, ours),
            "in turn": (network + adapter, partial(ours, in_turn=True)),
        }
        results = {name: way(case) for name, (_, way) in ways.items()}  # which also warms up
        one_step = replace(case, path=case.path[:2])
        tops = {name: peak(partial(way, one_step), device) for name, (_, way) in ways.items()}
        taken = [{name: seconds(partial(way, case), device) for name, (_, way) in ways.items()} for _ in range(rounds)]
        unturned = ours(replace(case, backward=Backward((), case.backward.weights)))
    rows = [
        Row(name, min(each[name] for each in taken), weights, tops[name], apart(results[name], results["plain"]))
        for name, (weights, _) in ways.items()
    ]
    return rows, apart(unturned, results["plain"])


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=SIZES, default="tiny")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=NEAR, default="float32")
    parser.add_argument("--frames", type=int)
    parser.add_argument("--width", type=int)
    parser.add_argument("--height", type=int)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=1, help="of each step of the first half")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    for name, value in zip(("frames", "width", "height"), SIZES[options.size], strict=True):
        setattr(options, name, getattr(options, name) or value)
    torch.set_num_threads(options.threads)
    torch.backends.cudnn.allow_tf32 = False  # float32 is to mean it
    rows, unturned = measure(drawn := case(options), options.rounds)
    machine = torch.cuda.get_device_name() if options.device != "cpu" else f"CPU, threads: {torch.get_num_threads()}"
    print(
        f"{options.size}: {options.frames} frames of {options.width}x{options.height}, {steps_down(drawn.path)} guided "
        f"steps in {options.dtype}, on {machine}; best of {options.rounds}"
    )
    print("              seconds   ratio   weights    on top  together  ratio    apart")
    first = rows[0]
    for row in rows:
        print(
            f"{row.way:<10} {row.seconds:10.3f} {first.seconds / row.seconds:7.2f} {row.weights / MIB:9.1f} "
            f"{row.on_top / MIB:9.1f} {row.bytes / MIB:9.1f} {first.bytes / row.bytes:6.2f} {row.apart:8.0e}"
        )
    print(f"Ratios are how many times less than plain; memory in MiB. With no map turned: {unturned:.0e} apart.")
    if options.json:
        facts = {name: value for name, value in vars(options).items() if name != "json"}
        facts |= {"machine": machine, "torch": torch.__version__, "python": platform.python_version()}
        facts |= {
            "steps_down": steps_down(drawn.path),
            "unturned_apart": unturned,
            "ways": [asdict(row) for row in rows],
        }
        options.json.write_text(json.dumps(facts, indent=2) + "\n")
    far = [row.way for row in rows if not row.apart <= NEAR[options.dtype]]
    assert not far, f"not the plain way's result: {far}"


if __name__ == "__main__":
    main()
