"""How long the embedded video model takes from a cold start: to load, and to make one clip.

    python benchmarks/cold_start.py [--rounds 2] [--threads 2]

Each round is a process of its own. Imports come before the clock, the files of the model may lie in the system's cache.
"""

import argparse
import json
import subprocess
import sys
import time

import diffusers
import torch
import transformers

from keyweave.base.heap import keep_freed_memory
from keyweave.diffusion.image_to_video import image_to_video
from keyweave.maths.tensors import to_tensor
from keyweave.metrics.records import table
from keyweave.models.finding import find
from keyweave.models.loading import load
from keyweave.toyworld.scenes import scene_of
from keyweave.toyworld.shots import shoot

STEPS = 25
WANTED = (
    (diffusers, "AutoencoderKLTemporalDecoder", "EulerDiscreteScheduler", "UNetSpatioTemporalConditionModel"),
    (transformers, "CLIPImageProcessor", "CLIPVisionModelWithProjection"),
)


def once() -> dict[str, float]:
    """Load the model and make a clip, guided as it is by default."""
    picture = to_tensor(shoot(scene_of("test", 0), frames=1).frames)
    began = time.perf_counter()
    model = load(find("toy-video", "image-to-video"), device="cpu")
    loaded = time.perf_counter()
    image_to_video(model, picture, seed=1, steps=STEPS)
    made = time.perf_counter()
    return {"load, s": loaded - began, "14 frames, s": made - loaded, "both, s": made - began}


def main() -> None:
    """Run the rounds, and print the table."""
    parser = argparse.ArgumentParser(description="toy-video from a cold start.")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    if asked.once:
        for library, *names in WANTED:
            for name in names:
                getattr(library, name)  # imports it: else the first model that is loaded would, on the clock
        keep_freed_memory()  # as the program does
        print(json.dumps(once()))
        return
    command = [sys.executable, __file__, "--once", "--threads", str(asked.threads)]
    rounds = [subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(asked.rounds)]
    print(table([json.loads(said.splitlines()[-1]) for said in rounds]))


if __name__ == "__main__":
    main()
