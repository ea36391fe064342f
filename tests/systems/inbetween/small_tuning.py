"""`keyweave` as one of several processes, which keeps what its branch has learnt and tells which files it wrote.

Run as a program, with the start of the two files' names, the folder to watch, and a command: NAME FOLDER train ...
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from keyweave.cli.main import main
from keyweave.systems.inbetween import tune as tuning_room

TASKS: list["Kept"] = []


class Kept(tuning_room.TunedTask):
    """The same, which can be asked when the training is over."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        TASKS.append(self)


def watch(folder: str) -> list[str]:
    """Note every file within a folder that is opened for writing, and every name that is given there from now on."""
    noted: list[str] = []

    def note(event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR):
            path = args[0]
        elif event == "os.rename":
            path = args[1]
        else:
            return
        if not isinstance(path, int) and os.fsdecode(path).startswith(folder + os.sep):
            noted.append(os.path.relpath(os.fsdecode(path), folder))

    sys.addaudithook(note)
    return noted


if __name__ == "__main__":
    torch.set_num_threads(1)
    name, folder, command = sys.argv[1], sys.argv[2], sys.argv[3:]
    tuning_room.TunedTask = Kept
    noted = watch(folder)
    code = main(command)
    (task,) = TASKS
    weights = {str(number): matrix.detach() for number, matrix in enumerate(task.model.parameters())}
    save_file(weights, f"{name}.safetensors")
    left = [path for path in noted if Path(folder, path).exists()]  # those written beside what they replaced are gone
    Path(f"{name}.json").write_text(json.dumps(left), encoding="utf-8")
    sys.exit(code)
