"""A training shared by several processes of one machine, each with one thread of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from keyweave.base.errors import Cancelled, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from keyweave.base.progress import Progress

_PATIENCE = 120  # seconds in which a process that was asked to stop finishes its step


def run_together(module: str, arguments: Sequence[str], processes: int, logs: Path, progress: Progress) -> None:
    """Run a module in several processes that share a training, and pass on what the first one tells.

    Ctrl-C reaches only the first one, which ends its step and keeps a checkpoint; the others wait for it in vain, and
    are ended then.

    Args:
        module: what each runs, as `python -m module arguments`; the first tells of its progress in JSON lines.
        arguments: for the module.
        processes: how many.
        logs: a folder; what a process complains of is kept there as process-N.log.
        progress: goes from 0 to 1.
    """
    logs.mkdir(parents=True, exist_ok=True)
    common = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": _free_port()}
    running: list[subprocess.Popen[str]] = []
    with ExitStack() as stack:
        stack.callback(_end, running)
        for rank in range(processes):
            log = stack.enter_context((logs / f"process-{rank}.log").open("w", encoding="utf-8"))
            running.append(
                subprocess.Popen(  # noqa: S603 - our own module; the arguments go to it as they are
                    [sys.executable, "-m", module, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE if rank == 0 else subprocess.DEVNULL,
                    stderr=log,
                    text=True,
                    start_new_session=True,
                    env={**os.environ, **common, "RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1"},
                )
            )
        first = running[0]
        assert first.stdout is not None
        with progress.part("training", total=1.0) as part:
            try:
                for line in first.stdout:
                    _pass_on(line, part)
            except Cancelled:
                first.send_signal(signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    first.wait(_PATIENCE)
                raise
        if first.wait() != 0:
            fault = _last_line(logs / "process-0.log")
            raise InputError(f"The training stopped: {fault}", f"See {logs} for all of it.")


def _pass_on(line: str, part: Progress) -> None:
    try:
        event: dict[str, Any] = json.loads(line)
        fraction = float(event["fraction"])
    except (ValueError, KeyError, TypeError):
        return  # a library that prints
    if event["event"] == "begin" and event["total"]:
        part.say(f"{' '.join(event['part'][1:]) or event['part'][0]}: {event['total']:g} steps")
    elif event["event"] in ("say", "warn"):
        part.say(event["text"])
    part.step(max(0.0, fraction - part.fraction))


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.strip()]
    return lines[-1] if lines else "it was ended from outside"


def _end(running: Sequence[subprocess.Popen[str]]) -> None:
    for process in running:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])
