"""What a method really runs when it is asked for a sampling, so that a comparison says what was compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyweave.diffusion.samplers import steps_down
from keyweave.systems.inbetween.methods import METHODS, path_of_trf
from keyweave.systems.inbetween.mpd import SHARE, TIMES
from keyweave.systems.inbetween.presets import sampling_words

if TYPE_CHECKING:
    from keyweave.systems.inbetween.sampling import Sampling

_NOT_REPEATED = frozenset({"repeats", "share"})
_ONE_WAY = _NOT_REPEATED | {"fusion", "tries", "sketch"}
_IN_TURNS = _ONE_WAY | {"solver", "guidance"}
_BLIND = {"trf": _NOT_REPEATED, "image-to-video": _ONE_WAY, "vibid": _IN_TURNS, "mpd": _IN_TURNS}
_OTHERWISE = "up at once by the exact noise, otherwise than in the authors' code"


@dataclass(frozen=True)
class Account:
    """What a method really runs.

    Args:
        words: its sampling, without what has no place in it.
        evaluations: of the network for each clip; each branch is one, and so is each half of guidance.
        jumps: what else is to be said of the way through the levels of noise; mostly nothing.
    """

    words: str
    evaluations: int
    jumps: str = ""


def account(method: str, sampling: Sampling) -> Account:
    """Tell what a method in `METHODS` really runs when it is asked for a sampling."""
    ran = METHODS[method].really(sampling)
    words = (word for word in sampling_words(ran).split(",") if word.partition("=")[0] not in _BLIND.get(method, ()))
    again = steps_down(path_of_trf(ran.steps)) - ran.steps if method == "trf" else 0
    said = (
        f"{again} steps taken again in jumps, {_OTHERWISE}" if again else "without its jumps, which begin at 50 steps"
    )
    return Account(",".join(words), _evaluations(method, ran, again), said if method == "trf" else "")


def _evaluations(method: str, ran: Sampling, again: int) -> int:
    if method in ("vibid", "mpd"):
        early = sum(step / ran.steps < SHARE for step in range(ran.steps)) if method == "mpd" else 0
        return 2 * (2 * ran.steps + TIMES * early)  # each turn looks with its picture and without
    looks = ran.looks + again * ran.tries * (2 if ran.solver == "heun" else 1)
    return 2 * ran.choices + looks * (1 if method == "image-to-video" else 2) * (2 if max(ran.guidance) > 1 else 1)
