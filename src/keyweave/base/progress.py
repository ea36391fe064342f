"""One stream of events that tells how far a job is, and the one place where a job can be stopped.

A job is a tree of parts. Each part has a share of its parent; the fraction of the whole follows from the shares, so
a bar never runs backward. Whoever works calls `step`, `each` or `say`; whoever watches is a plain function that takes
an `Event` (see `faces`).
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from keyweave.base.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")
EventKind = Literal["begin", "step", "end", "say", "warn"]

# Before this much of the work is done, a guess of what is left would only mislead.
_ETA_FROM = 0.02


@dataclass(frozen=True)
class Event:
    """Something that happened in a job.

    Args:
        kind: a part began, advanced or ended; or a message or a warning was said.
        part: the names from the whole job down to this part.
        done: how many of `total` this part has done.
        total: how many there are; None when nobody knows.
        fraction: how much of the whole job is done, 0 to 1.
        elapsed: seconds since the job began.
        eta: seconds that the rest will take at the speed measured so far; None while unknown.
        text: what was said.
    """

    kind: EventKind
    part: tuple[str, ...]
    done: float
    total: float | None
    fraction: float
    elapsed: float
    eta: float | None
    text: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, in reading order."""
        row: dict[str, Any] = {
            "event": self.kind,
            "part": list(self.part),
            "done": self.done,
            "total": self.total,
            "fraction": round(self.fraction, 4),
            "elapsed": round(self.elapsed, 3),
            "eta": None if self.eta is None else round(self.eta, 1),
        }
        if self.text:
            row["text"] = self.text
        return row


@dataclass
class _Whole:
    """What all parts of one job have in common."""

    listen: Callable[[Event], None]
    clock: Callable[[], float]
    stop: threading.Event
    root: Progress = field(init=False)
    began: float = 0.0


class Progress:
    """A part of a job: what it is called, how much of it is done, and whether to go on.

    Args:
        name: what the whole job is called.
        listen: called with each Event, in the thread that works.
        total: how many steps the job has, if it has no parts.
        clock: seconds, rising.
        stop: set this from anywhere to stop the job at its next step.
    """

    def __init__(
        self,
        name: str,
        listen: Callable[[Event], None],
        *,
        total: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        stop: threading.Event | None = None,
    ) -> None:
        whole = _Whole(listen, clock, stop or threading.Event(), began=clock())
        whole.root = self
        self._settle(whole, (name,), total, share=1.0, parent=None)

    def _settle(
        self, whole: _Whole, path: tuple[str, ...], total: float | None, share: float, parent: Progress | None
    ) -> None:
        self._whole = whole
        self._path = path
        self._total = total
        self._share = share
        self._parent = parent
        self._done = 0.0
        self._from_parts = 0.0  # fraction of this part that its ended parts account for
        self._running: list[Progress] = []

    @property
    def fraction(self) -> float:
        """How much of this part is done, 0 to 1."""
        own = self._done / self._total if self._total else 0.0
        parts = self._from_parts + sum(part.fraction * part._share for part in self._running)
        return min(1.0, max(own, parts))

    def part(self, name: str, share: float = 1.0, total: float | None = None) -> Progress:
        """Begin a part that makes up `share` of this one; use it in a `with` block, or call `end`."""
        self.check()
        child = Progress.__new__(type(self))
        child._settle(self._whole, (*self._path, name), total, share, self)
        self._running.append(child)
        child._emit("begin")
        return child

    def step(self, count: float = 1) -> None:
        """Say that `count` more steps are done; raises Cancelled if somebody asked to stop."""
        self._done += count
        self._emit("step")
        self.check()

    def each(self, items: Iterable[T], name: str, *, total: float | None = None, share: float = 1.0) -> Iterator[T]:
        """Yield the items as a part of their own, a step each."""
        if total is None and hasattr(items, "__len__"):
            total = len(items)  # type: ignore[arg-type]
        with self.part(name, share, total) as part:
            for item in items:
                yield item
                part.step()

    def say(self, text: str) -> None:
        """Tell something worth knowing."""
        self._emit("say", text)

    def warn(self, text: str) -> None:
        """Tell something that may not be what was wanted."""
        self._emit("warn", text)

    def check(self) -> None:
        """Raise Cancelled if somebody asked to stop."""
        if self._whole.stop.is_set():
            raise Cancelled("Stopped; nothing half-made was left behind.")

    def end(self) -> None:
        """Say that this part is done, whatever its count."""
        if self._parent is not None:
            if self not in self._parent._running:
                return
            self._parent._running.remove(self)
            self._parent._from_parts = min(1.0, self._parent._from_parts + self._share)
        self._emit("end")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.end()

    def _emit(self, kind: EventKind, text: str = "") -> None:
        whole = self._whole
        elapsed = whole.clock() - whole.began
        fraction = 1.0 if kind == "end" and self._parent is None else whole.root.fraction
        eta = elapsed * (1 - fraction) / fraction if fraction >= _ETA_FROM else None
        whole.listen(Event(kind, self._path, self._done, self._total, fraction, elapsed, eta, text))


class _Silent(Progress):
    """Progress that nobody watches; it keeps no state, so that one object serves every caller."""

    def part(self, name: str, share: float = 1.0, total: float | None = None) -> Progress:  # noqa: ARG002
        return self

    def step(self, count: float = 1) -> None:
        pass

    def end(self) -> None:
        pass


def _unheard(_: Event) -> None:
    pass


SILENT: Progress = _Silent("silent", _unheard)
