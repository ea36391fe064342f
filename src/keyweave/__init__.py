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
    from keyweave.app.friendly import dance, inbetween, retime
    from keyweave.app.jobs import Job, Result
    from keyweave.app.jobs import run_job as run
    from keyweave.app.rerun import rerun
    from keyweave.base.errors import KeyweaveError
    from keyweave.base.progress import Event, Progress
    from keyweave.media.clips import open_frames, read_clip
    from keyweave.media.pictures.images import read_image, write_image
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
    "dance",
    "inbetween",
    "open_frames",
    "read_clip",
    "read_image",
    "rerun",
    "retime",
    "run",
    "write_clip",
    "write_image",
]

_PLACES = {
    "Audio": "media.types:Audio",
    "Clip": "media.types:Clip",
    "Event": "base.progress:Event",
    "Image": "media.types:Image",
    "Job": "app.jobs:Job",
    "KeyweaveError": "base.errors:KeyweaveError",
    "Progress": "base.progress:Progress",
    "Result": "app.jobs:Result",
    "dance": "app.friendly:dance",
    "inbetween": "app.friendly:inbetween",
    "retime": "app.friendly:retime",
    "open_frames": "media.clips:open_frames",
    "read_clip": "media.clips:read_clip",
    "read_image": "media.pictures.images:read_image",
    "rerun": "app.rerun:rerun",
    "run": "app.jobs:run_job",
    "write_clip": "media.writers:write_clip",
    "write_image": "media.pictures.images:write_image",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'keyweave' has no attribute {name!r}")
    room, own_name = _PLACES[name].split(":")
    return getattr(import_module(f"keyweave.{room}"), own_name)


def __dir__() -> list[str]:
    return __all__
