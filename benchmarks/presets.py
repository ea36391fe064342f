"""What a clip costs by each preset, from two pictures to frames of a film: seconds and memory, compiled and not.

    python benchmarks/presets.py [--model toy-video] [--adapter REF] [--size 64x64] [--presets draft fast faithful]
                                 [--compile] [--rounds 2] [--threads 1] [--device cuda] [--dtype bfloat16]
                                 [--memory high]

The engine `generative` makes the model's own number of frames, as it does for a film: keyframes are encoded, a sketch
is drawn where the preset has one, latents are decoded, colours and detail carried. Each row is a process of its own.
It makes a clip of two steps first, after which all is loaded and, with --compile, compiled; that is `ready, s`, and
less where PyTorch's cache on disk has what was compiled before. Then it makes `--rounds` clips, each from a seed of
its own, and the best time is kept. Memory is the most that PyTorch held of a GPU, or the most that the process held
on a CPU, its libraries and files among it.

At full size, with the folder that `python benchmarks/full_size.py FOLDER --convert --keep` leaves:
`--model FOLDER --adapter FOLDER/adapter.safetensors --size 1024x576`.
"""

import argparse
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from keyweave.app.engines import ENGINES
from keyweave.base.errors import KeyweaveError
from keyweave.base.peak import peak_bytes
from keyweave.media.fit import fit
from keyweave.media.types import Image
from keyweave.metrics.records import table
from keyweave.models.devices import hardware
from keyweave.models.finding import frames_of
from keyweave.systems.inbetween.accounts import account
from keyweave.systems.inbetween.options import InbetweenOptions
from keyweave.systems.inbetween.presets import PRESETS
from keyweave.timeline.times import parse_size
from keyweave.toyworld.scenes import scene_of
from keyweave.toyworld.shots import shoot

CLIP = 0  # of the drawn world's test split, between whose ends all draw
GPU = "cuda"


def row(given: dict[str, Any], size: tuple[int, int], rounds: int, threads: int) -> dict[str, object]:
    """Make clips, and tell what they took."""
    torch.set_num_threads(threads)
    clip = shoot(scene_of("test", CLIP)).frames
    ends = [fit(Image(np.ascontiguousarray(clip[k])), size, "stretch") for k in (0, -1)]
    began = time.perf_counter()
    options = InbetweenOptions.model_validate(given)
    bound = ENGINES["generative"].bind(options)
    place = bound.place
    assert place is not None, "it has a model"
    full: Any = bound.load()
    short = replace(full, sampling=replace(options.sampling, steps=2, repeats=0))
    last = frames_of(bound.handed["model"]) - 1
    times = [Fraction(k, last) for k in range(1, last)]

    def seconds(draw: Any, seed: int, began: float) -> float:
        assert len(list(draw(*ends, times, seed=seed))) == len(times)
        if place.device.startswith(GPU):
            torch.cuda.synchronize()
        return time.perf_counter() - began

    ready = seconds(short, 0, began)
    taken = [seconds(full, seed, time.perf_counter()) for seed in range(1, rounds + 1)]
    return {
        "compiled": "yes" if options.compile else "no",
        "evaluations": account("full", options.sampling).evaluations,
        "ready, s": f"{ready:.1f}",
        "a clip, s": f"{min(taken):.1f}",
        "memory, GB": f"{held(place.device) / 1e9:.2f}",
        "frames": f"{last + 1} of {size[0]}x{size[1]}",
        "on": f"{hardware(place.device)}, {place.dtype}",
    }


def held(device: str) -> int:
    """Return the most bytes that were held at once."""
    if device.startswith(GPU):
        return torch.cuda.max_memory_reserved(device)
    return peak_bytes() or 0


def main() -> None:
    """Measure each preset in a process of its own, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="toy-video")
    parser.add_argument("--adapter")
    parser.add_argument("--size", default="64x64")
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=list(PRESETS))
    parser.add_argument("--compile", action="store_true", help="measure each compiled, too")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device")
    parser.add_argument("--dtype")
    parser.add_argument("--memory", default="auto")
    asked = parser.parse_args()
    if min(asked.rounds, asked.threads) < 1:
        parser.error("--rounds and --threads: at least 1")
    given = {name: getattr(asked, name) for name in ("model", "adapter", "device", "dtype", "memory")}
    found: list[dict[str, object]] = []
    try:
        size = parse_size(asked.size)
        for preset in asked.presets:
            for compile_it in (False, True)[: 1 + asked.compile]:
                options = given | {"sampling": preset, "compile": compile_it}
                with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
                    measured = alone.submit(row, options, size, asked.rounds, asked.threads).result()
                found.append({"preset": preset} | measured)
                print(*found[-1].values(), sep=", ", file=sys.stderr, flush=True)
    except (KeyweaveError, ValueError) as fault:
        parser.error(str(fault))
    print(table(found))


if __name__ == "__main__":
    main()
