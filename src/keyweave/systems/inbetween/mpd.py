"""Motion Prior Distillation (Jeon et al.; ICLR 2026, arXiv 2602.12679): one idea of how things move, told both ways.

Asked from the last picture backward, a network imagines a motion of its own, which need not be the one that it imagines
from the first picture forward. So in the early steps, where motion is decided, the backward guess is no guess of the
network: it begins with the last picture and goes back by the frame-to-frame differences of the forward guess.

The method is told in differences of noise that are summed up from the end. They telescope: with clean guesses c and
the last picture's latents z, frame n of the backward guess is c[n] + z - c[last]. That is the forward guess, shifted
as a whole so that it ends where it should.

Facts come from notes on the paper and from the authors' published code, which was read and not copied; the paper itself
was not at hand. This is their sequential variant: three such turns at each level of the first fifth of the steps, the
first frame replaced by the first picture's latents, and then, as in all later steps, what ViBiDSampler does. Their
notes have a weight between the forward guess and the shifted one; their code takes the shifted one alone, and so does
this. The variant that goes on by averaging is not here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyweave.systems.inbetween.vibid import End, Turn, both_ways, go_on

if TYPE_CHECKING:
    from torch import Tensor

SHARE, TIMES = 0.2, 3  # of the steps; so often at each of these


def with_one_motion(first: End, last: End, done: float) -> list[Turn]:
    """Go both ways, in the early steps after some turns by the forward motion alone."""

    def turn(x: Tensor, now: Tensor, then: Tensor) -> Tensor:
        clean = first.told(x, now)
        clean = clean + (last.latents - clean[:, -1])[:, None]
        clean[:, 0] = first.latents
        return go_on(first, clean, x, now, then)

    return [turn] * (TIMES if done < SHARE else 0) + both_ways(first, last, done)
