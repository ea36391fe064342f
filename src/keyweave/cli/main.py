"""`keyweave`: choose the command, run it, and turn every failure into one line and an exit code."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import tempfile
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyweave.base.errors import Cancelled, InputError, KeyweaveError
from keyweave.base.heap import keep_freed_memory
from keyweave.base.version import VERSION
from keyweave.cli.licences import accepted_in, with_licences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyweave.cli.parser import Parser

BUG_EXIT = 1


@dataclass(frozen=True)
class Command:
    """A row of the command line.

    Args:
        name: what people type.
        says: one line about it.
        module: where `build(name) -> Parser` and `run(args) -> exit code` live; imported when it is chosen.
    """

    name: str
    says: str
    module: str

    def build(self) -> Parser:
        """Make the parser of the command."""
        return importlib.import_module(self.module).build(self.name)

    def run(self, argv: Sequence[str]) -> int:
        """Parse the rest of the line and do it."""
        args = self.build().read(argv)
        return importlib.import_module(self.module).run(args)


COMMANDS = {
    command.name: command
    for command in (
        Command("inbetween", "Fill the time between keyframes: pictures in, film out.", "keyweave.cli.system"),
        Command("retime", "Slow a clip down, speed it up, or change its frame rate.", "keyweave.cli.system"),
        Command("dance", "Let keyframes dance another dance, to its song or yours, on the beat.", "keyweave.cli.dance"),
        Command("render", "Make the film of a project file.", "keyweave.cli.render"),
        Command(
            "timeline", "Look at a project's timing; carry it to and from editing programs.", "keyweave.cli.timeline"
        ),
        Command("rerun", "Make an output again from the recipe that it carries.", "keyweave.cli.rerun"),
        Command("sheet", "Print frames of a clip on one picture, with their times.", "keyweave.cli.sheet"),
        Command("beside", "Show films beside one another in one film.", "keyweave.cli.beside"),
        Command("compare", "Measure a made clip against a real one, frame by frame.", "keyweave.cli.compare"),
        Command(
            "report",
            "Measure a film against its own keyframes: faithfulness, seams, steadiness.",
            "keyweave.cli.report",
        ),
        Command(
            "toyworld", "Look at the drawn world to train and test on; write clips of it.", "keyweave.cli.toyworld"
        ),
        Command("models", "List, inspect, check and download the models that draw.", "keyweave.cli.models"),
        Command("train", "Train an embedded model again, or fine-tune one on clips of your own.", "keyweave.cli.train"),
        Command("bench", "Set methods side by side, and measure them: the paper's tables.", "keyweave.cli.bench"),
        Command("info", "Tell what a file is: streams, rate, length, colour, recipe.", "keyweave.cli.info"),
        Command("doctor", "Tell what this installation can do, and how to add the rest.", "keyweave.cli.doctor"),
        Command("demo", "Make a first film from pictures that keyweave draws itself.", "keyweave.cli.demo"),
        Command("completion", "Print the completion script of a shell.", "keyweave.cli.completion"),
    )
}


def entry() -> None:
    """Run the program."""
    keep_freed_memory()
    raise SystemExit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    argv = list(argv)
    debug = "--debug" in argv
    if debug:
        argv.remove("--debug")
    as_json = "--json" in argv
    try:
        argv, accepted = accepted_in(argv)
        return with_licences(lambda: _dispatch(argv), accepted, ask=not as_json)
    except KeyboardInterrupt:
        return _say_failure(Cancelled("Stopped."), as_json=as_json)
    except BrokenPipeError:
        # Whoever read our output went away (as in `| head`); the rest of it must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as fault:  # noqa: BLE001 - the last door: never a bare traceback
        told = _told(fault)
        if told is None:
            return _say_bug(fault, debug=debug)
        if debug:
            traceback.print_exc()
        return _say_failure(told, as_json=as_json)


def _dispatch(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if argv[0] in ("-V", "--version"):
        print(f"keyweave {VERSION}")
        return 0
    name = argv[0]
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"Did you mean {near[0]}?" if near else f"Commands: {', '.join(COMMANDS)}."
        raise InputError(f"keyweave has no command {name!r}.", hint)
    try:
        return COMMANDS[name].run(argv[1:])
    except SystemExit as left:  # argparse prints --help and leaves
        return int(left.code or 0)


def _help() -> str:
    rows = "\n".join(f"  {command.name:<12}{command.says}" for command in COMMANDS.values())
    return f"""\
usage: keyweave COMMAND ...

keyweave {VERSION}: turn a few keyframes into finished video.

commands:
{rows}

options:
  -h, --help      show this; after a command, its own help
  -V, --version   print the version
  --debug         after a command: show the traceback of an error
  --accept-licence OWNER/NAME
                  after a command: agree to the licence of a model of the hub that is not free for all uses

Start with `keyweave demo`.
Exit codes: 0 done, 2 bad input, 3 something must be installed, 4 no solution, 130 stopped, 1 a bug of ours."""


def _told(fault: Exception) -> KeyweaveError | None:
    """Return the sentence of a failure, or None where it is a bug of ours."""
    if isinstance(fault, OSError):  # of folders that may not be looked into, names too long to be looked for, ...
        from keyweave.base.files import explained  # noqa: PLC0415 - only on this road

        return explained(fault)
    return fault if isinstance(fault, KeyweaveError) else None


def _say_failure(fault: KeyweaveError, *, as_json: bool) -> int:
    if as_json:
        from keyweave.cli.face import show_json  # noqa: PLC0415 - only on this road

        show_json({"event": "error", "message": fault.message, "hint": fault.hint, "exit_code": fault.exit_code})
    else:
        print(f"keyweave: {' '.join(str(fault).split())}", file=sys.stderr)
    return fault.exit_code


def _say_bug(fault: Exception, *, debug: bool) -> int:
    handle, name = tempfile.mkstemp(prefix="keyweave-bug-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"keyweave {VERSION}, Python {sys.version}, {sys.platform}\narguments: {sys.argv[1:]}\n\n")
        traceback.print_exception(fault, file=file)
    if debug:
        traceback.print_exception(fault)
    words = " ".join(str(fault).split())[:200]
    print(
        f"keyweave: this is a bug of ours ({type(fault).__name__}: {words}). Please report it to the project, "
        f"with the file {name}.",
        file=sys.stderr,
    )
    return BUG_EXIT
