"""keyweave: turn a few keyframes into finished video."""

from keyweave.base import version as _version

__version__ = _version.VERSION

__all__ = ["__version__"]
