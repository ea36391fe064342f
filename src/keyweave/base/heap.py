"""Memory that was freed stays at hand.

glibc gives large blocks back to the system as soon as they are freed, and page by page they come anew: for pictures in
the layers of a network that costs about a quarter of the time that a processor takes to compute them.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's names for what it can be told, in malloc.h
_KEPT = 1 << 29  # of free memory, above which it is given back
_LARGEST = 1 << 25  # of blocks that are kept, the most that glibc accepts; larger ones come and go as before


def keep_freed_memory() -> bool:
    """Let this process keep some memory that it frees; return False where the C library is another.

    It is for programs: a library leaves the memory of its host alone.
    """
    try:
        tell = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another library has no such function; Windows has no such door
        return False
    # Both or neither: to set one stops glibc from adapting the other, which made it worse.
    return bool(tell(_MMAP_THRESHOLD, _LARGEST)) and bool(tell(_TRIM_THRESHOLD, _KEPT))
