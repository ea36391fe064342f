"""How good an image-to-video model of the drawn world is, on the test split, in numbers.

Every judge is asked of three kinds of clips: of `real` ones, which tells how good the judge is; of real ones that went
through the `autoencoder`, which tells how good the model could be; and of those that were `made` from their first
frames.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from keyweave.base.errors import InputError
from keyweave.base.progress import SILENT, Progress
from keyweave.base.seeds import derive
from keyweave.diffusion.image_to_video import GUIDANCE, STEPS, VideoParts, image_to_video
from keyweave.diffusion.vae import decode, encode
from keyweave.maths.tensors import to_frames, to_tensor
from keyweave.metrics.fidelity import psnr
from keyweave.metrics.frechet import frechet_distance, frechet_floor
from keyweave.recipes.features import SEEN
from keyweave.toyworld.scenes import scene_of
from keyweave.toyworld.shots import Shot, Truth, shoot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from keyweave.perceive.features import ToyFeatures
    from keyweave.toyworld.scenes import Scene

    Floats = NDArray[np.floating]
    Frames = NDArray[np.uint8]

COUNT = 200
_TOGETHER = 8
_MOVES = 1 / 8  # of the picture's height: who comes less far is no mover
_STEP = 1 / 32  # of the height: how far along the true way is a move at all
_CONTRAST = 0.5  # of the actor's own: what differs more from the backdrop is the actor
_LEFT = 0.25  # of the actor's size in the first frame: what is smaller is the actor no more


@dataclass(eq=False)
class _Tally:
    """What was found of one kind of clips."""

    forward: list[bool] = field(default_factory=list)
    kinds: list[bool] = field(default_factory=list)
    colors: list[bool] = field(default_factory=list)
    told: list[bool] = field(default_factory=list)  # of colors, those that the first frame tells
    ways: list[bool] = field(default_factory=list)
    vectors: list[Floats] = field(default_factory=list)

    def add(self, features: ToyFeatures, clips: Frames, shots: Sequence[Shot[Scene]]) -> None:
        """Judge clips (B, T, H, W, 3) that show what the shots show, or ought to."""
        seen = features(to_tensor(clips).to(next(features.parameters()).device))
        self.forward += (seen.forward > 0).tolist()
        self.vectors.append(seen.vector.cpu().numpy())
        kinds, colors = (said.argmax(-1).cpu() for said in (seen.frame_kinds, seen.frame_colors))
        for row, (clip, shot) in enumerate(zip(clips, shots, strict=True)):
            if is_mover(shot):
                self.ways.append(goes_right(clip, shot))
            if not is_clear(shot.scene):
                continue
            (role,) = shot.scene.cast
            seen_well = filled(truth_of(shot)) >= SEEN
            for frame in np.flatnonzero(seen_well):
                self.kinds.append(int(kinds[row, frame]) == features.kinds.index(role.kind))
                self.colors.append(int(colors[row, frame]) == features.colors.index(role.color))
                if seen_well[0]:
                    self.told.append(self.colors[-1])

    def scores(self, whose: str, real: Floats) -> dict[str, float]:
        """Return the shares, and the distance from real clips whose vectors these are."""
        found = {
            f"forward, {whose}": self.forward,
            f"right way, {whose}": self.ways,
            f"kind, {whose}": self.kinds,
            f"color, {whose}": self.colors,
            f"color told, {whose}": self.told,
        }
        shares = {name: float(np.mean(rows)) for name, rows in found.items() if rows}
        return {**shares, f"distance, {whose}": frechet_distance(np.concatenate(self.vectors), real)}


@torch.no_grad()
def video_scores(
    model: VideoParts,
    features: ToyFeatures,
    count: int = COUNT,
    seed: int = 0,
    progress: Progress = SILENT,
    *,
    begin: int = 0,
    steps: int = STEPS,
    guidance: tuple[float, float] = GUIDANCE,
) -> dict[str, float]:
    """Measure a model on clips of the test split; docs/train.md tells what each number means.

    Args:
        model: its parts, on one device.
        features: the judge.
        count: how many clips; as many again are the real ones that distances are measured from.
        seed: decides the noise.
        progress: a step for each clip.
        begin: the number of the first clip.
        steps: of the sampler.
        guidance: at the first frame and at the last; 1 for none.
    """
    if count < 2:
        raise InputError(f"Scores need 2 clips or more; got {count}.", f"Take {COUNT}, as the cards do.")
    frames = int(model.unet.config["num_frames"])
    real, copied, made = _Tally(), _Tally(), _Tally()
    decibels, slopes = list[float](), list[tuple[float, float]]()
    with progress.part("scores", total=count) as part:
        for first in range(begin, begin + count, _TOGETHER):
            shots = [
                shoot(scene_of("test", number), frames=frames, truth=True)
                for number in range(first, min(first + _TOGETHER, begin + count))
            ]
            clips = np.stack([shot.frames for shot in shots])
            copies = through(model, clips)
            starts = to_tensor(clips[:, 0]).to(model.unet.device, model.unet.dtype)
            made_of = derive(seed, "scores", first)
            drawn = to_frames(image_to_video(model, starts, seed=made_of, steps=steps, guidance=guidance))
            for tally, some in ((real, clips), (copied, copies), (made, drawn)):
                tally.add(features, some, shots)
            for clip, copy, shot in zip(clips, copies, shots, strict=True):
                decibels += [psnr(a, b) for a, b in zip(copy, clip, strict=True)]
                slopes.append(_chroma(copy, clip, truth_of(shot).masks().max(axis=1)))
            part.step(len(shots))
    others = _vectors(features, range(begin + count, begin + 2 * count), frames)
    kept, whole = np.sum(slopes, axis=0)
    return {
        "clips": float(count),
        "movers": float(len(real.ways)),
        "frames with a clear actor": float(len(real.kinds)),
        "frames of an actor told": float(len(real.told)),
        "autoencoder, dB": float(np.mean(decibels)),
        "colors kept": float(kept / whole),
        **real.scores("real", others),
        **copied.scores("autoencoder", others),
        **made.scores("made", others),
        "distance, floor": frechet_floor(np.concatenate([*real.vectors, others])),
    }


def is_mover(shot: Shot[Scene]) -> bool:
    """Tell whether somebody goes somewhere here, alone, in full view, before a camera that stands still."""
    scene, truth = shot.scene, truth_of(shot)
    if not is_clear(scene) or scene.pan != 0:
        return False
    far = float(np.linalg.norm(_way(shot))) >= _MOVES * shot.frames.shape[1]
    return far and bool(filled(truth)[[0, -1]].min() >= SEEN)


def goes_right(clip: Frames, shot: Shot[Scene]) -> bool:
    """Tell whether the actor of a clip (T, H, W, 3) goes the way that the one of the shot goes.

    It is looked for where a frame differs from the empty scene, in the first frame and in the last that still shows it.
    From there to there it must come at least a 32nd of the picture's height along the line from where the true actor
    begins to where it ends. How fast it goes is left to it: a still does not tell.
    """
    places = whereabouts(clip, shot)
    found = [place for place in places if place is not None]
    if places[0] is None or len(found) < 2:
        return False
    way = _way(shot)
    return bool((found[-1] - found[0]) @ way / np.linalg.norm(way) >= _STEP * shot.frames.shape[1])


def whereabouts(clip: Frames, shot: Shot[Scene]) -> list[Floats | None]:
    """Return where a mover is in each frame of a clip (T, H, W, 3): x and y in pixels, None where it is lost.

    It is the largest thing that a frame has beyond the empty scene, if that is large and clear enough to be the actor.
    """
    height, width = shot.frames.shape[1:3]
    (empty,) = shoot(replace(shot.scene, cast=()), frames=1, width=width, height=height).frames
    first = truth_of(shot).masks()[0, 0]
    contrast = float(_difference(shot.frames[0], empty)[first].mean())
    return [_place(frame, empty, _CONTRAST * contrast, _LEFT * int(first.sum())) for frame in clip]


def _way(shot: Shot[Scene]) -> Floats:
    """Return how far the first actor comes from the first frame to the last, (2,) pixels."""
    poses = truth_of(shot).poses
    return np.asarray(poses[-1, 0, :2] - poses[0, 0, :2])


def _place(frame: Frames, empty: Frames, least: float, area: float) -> Floats | None:
    """Return the middle of the largest thing that a frame has beyond the empty scene; None if there is hardly one."""
    differs = _difference(frame, empty)
    _, _, facts, middles = cv2.connectedComponentsWithStats((differs > least).astype(np.uint8))
    sizes = facts[1:, cv2.CC_STAT_AREA]
    if not len(sizes) or sizes.max() < area:
        return None
    return np.asarray(middles[1 + int(sizes.argmax())])


def _difference(frame: Frames, empty: Frames) -> Floats:
    """Return the largest difference of the channels, a little smoothed, (H, W) levels."""
    return cv2.blur(cv2.absdiff(frame, empty).max(axis=2).astype(np.float32), (3, 3))


def is_clear(scene: Scene) -> bool:
    """Tell whether one actor is alone, with nothing in front of it."""
    return len(scene.cast) == 1 and scene.hidden_by is None


def filled(truth: Truth) -> Floats:  # (T,)
    """Return which share of each frame shows the only actor."""
    return np.asarray(truth.masks()[:, 0].mean(axis=(1, 2)))


def truth_of(shot: Shot[Scene]) -> Truth:
    """Return what is known of a shot that was drawn with its truth."""
    assert shot.truth is not None, "scores are measured on shots with their truth"
    return shot.truth


def through(model: VideoParts, clips: Frames) -> Frames:
    """Send clips (B, T, H, W, 3) through the autoencoder, one at a time: their pictures take memory."""
    found = []
    for clip in clips:
        latents = encode(model.vae, to_tensor(clip).to(model.vae.device)).mode()
        found.append(to_frames(decode(model.vae, latents, len(clip))))
    return np.stack(found)


def _chroma(made: Frames, real: Frames, masks: NDArray[np.bool_]) -> tuple[float, float]:
    """Return made times real and real times real, of what in actors' pixels is neither black, grey nor white."""
    mine, theirs = (clip[masks].astype(np.float64) for clip in (made, real))
    mine, theirs = (pixels - pixels.mean(axis=1, keepdims=True) for pixels in (mine, theirs))
    return float((mine * theirs).sum()), float((theirs * theirs).sum())


def _vectors(features: ToyFeatures, numbers: range, frames: int) -> Floats:
    found = []
    device = next(features.parameters()).device
    for first in range(0, len(numbers), _TOGETHER):
        clips = [shoot(scene_of("test", number), frames=frames).frames for number in numbers[first : first + _TOGETHER]]
        found.append(features(to_tensor(np.stack(clips)).to(device)).vector.cpu().numpy())
    return np.concatenate(found)
