"""One of several processes that train: `python -m keyweave.recipes FOLDER`, started by `keyweave train`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

from keyweave.base.errors import KeyweaveError
from keyweave.base.faces import JsonLines
from keyweave.base.heap import keep_freed_memory
from keyweave.base.interrupt import stop_on_interrupt
from keyweave.base.progress import Progress
from keyweave.recipes.kept import kept_budget
from keyweave.recipes.toy_video import Budget, work


def main() -> int:
    """Do a share of the stages that are left; tell of it in JSON lines."""
    keep_freed_memory()
    torch.set_num_threads(1)  # contended threads are many times slower than processes
    folder = Path(sys.argv[1])
    rank, ranks = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    budget = kept_budget(folder, Budget)
    assert budget is not None, "whoever starts this has written a budget"
    with stop_on_interrupt(lambda _: None) as stop:
        progress = Progress("training", JsonLines(sys.stdout), stop=stop)
        try:
            work(folder, budget, share=(rank, ranks), progress=progress)
        except KeyweaveError as fault:
            sys.stderr.write(f"{fault}\n")
            return fault.exit_code
        progress.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
