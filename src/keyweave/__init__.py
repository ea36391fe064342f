"""keyweave: turn a few keyframes into finished video.

    import keyweave

    film = keyweave.inbetween(["a.png", "b.png"], "film.mp4", frames=10, fps=12)
    film.recipe.seed

Importing this package imports nothing heavy: each name below comes from its room when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from keyweave.base import version as _version

if TYPE_CHECKING:
    from keyweave.app.friendly import inbetween
    from keyweave.app.jobs import Job, Result, run_job
    from keyweave.app.rerun import rerun
    from keyweave.base.errors import KeyweaveError
    from keyweave.base.progress import Event, Progress
    from keyweave.media.clips import open_frames, read_clip
    from keyweave.media.images import read_image, write_image
    from keyweave.media.types import Audio, Clip, Image
    from keyweave.media.writers import write_clip

__version__ = _version.VERSION

__all__ = [
    "Audio",
    "Clip",
    "Event",
    "Image",
    "Job",
    "KeyweaveError",
    "Progress",
    "Result",
    "__version__",
    "inbetween",
    "open_frames",
    "read_clip",
    "read_image",
    "rerun",
    "run_job",
    "write_clip",
    "write_image",
]

_ROOMS = {
    "Audio": "media.types",
    "Clip": "media.types",
    "Event": "base.progress",
    "Image": "media.types",
    "Job": "app.jobs",
    "KeyweaveError": "base.errors",
    "Progress": "base.progress",
    "Result": "app.jobs",
    "inbetween": "app.friendly",
    "open_frames": "media.clips",
    "read_clip": "media.clips",
    "read_image": "media.images",
    "rerun": "app.rerun",
    "run_job": "app.jobs",
    "write_clip": "media.writers",
    "write_image": "media.images",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'keyweave' has no attribute {name!r}")
    return getattr(import_module(f"keyweave.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return __all__
