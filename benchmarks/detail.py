"""How much of what a clip lost its keyframes can give back: real films, smoothed as a model smooths them.

    python benchmarks/detail.py FILM ... [--frames 25] [--every 2] [--width 512] [--smooth 1.2]

Of each film the first frames are taken, one of every so many, and smoothed by a Gaussian of so many pixels, which
stands for the autoencoder of a model. `detailed` is given the first and the last frame as they were, and the smooth
clip. PSNR is that of the frames between, to the film itself.
"""

import argparse
import time
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from keyweave.media.clips import open_frames
from keyweave.metrics.fidelity import psnr
from keyweave.metrics.records import table
from keyweave.perceive.detail import detailed


def measured(film: Path, asked: argparse.Namespace) -> dict[str, object]:
    """Return a row of the table."""
    with open_frames(film) as reader:
        taken = [frame[..., :3] for frame in islice(reader.frames(), 0, asked.frames * asked.every, asked.every)]
    height, width = taken[0].shape[:2]
    size = asked.width, max(8, round(height * asked.width / width / 8) * 8)
    real = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in taken])
    smooth = np.stack([cv2.GaussianBlur(frame, (0, 0), asked.smooth) for frame in real])
    began = time.perf_counter()
    found = np.stack(list(detailed(smooth, real[0], real[-1])))
    seconds = time.perf_counter() - began
    inner = range(1, len(real) - 1)
    before, after = (float(np.mean([psnr(clip[k], real[k]) for k in inner])) for clip in (smooth, found))
    return {
        "film": film.name,
        "frames": len(real),
        "size": f"{size[0]}x{size[1]}",
        "smooth, dB": before,
        "with detail, dB": after,
        "ms a frame": 1000 * seconds / len(inner),
    }


def main() -> None:
    """Measure each film, and print the table."""
    parser = argparse.ArgumentParser(description="What keyframes give back to a smoothed clip.")
    parser.add_argument("films", nargs="+", type=Path, metavar="FILM")
    parser.add_argument("--frames", type=int, default=25)
    parser.add_argument("--every", type=int, default=2)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--smooth", type=float, default=1.2)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    print(table([measured(film, asked) for film in asked.films]))


if __name__ == "__main__":
    main()
