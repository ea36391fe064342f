"""keyweave: turn a few keyframes into finished video."""

from keyweave.base.version import VERSION as __version__

__all__ = ["__version__"]
