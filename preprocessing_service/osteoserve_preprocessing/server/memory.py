"""Memory that is given back: a service that lives for months must not keep its largest call's.

Left alone, glibc keeps freed arrays in the heaps of all threads. With a mapping of its own for each
of them, every mask that preprocessing makes on the way costs a page fault for each 4 KiB, a fifth
of its time. So blocks are kept while a call lasts, and given back when it has ended. Other C
libraries have no such settings, and nothing is done there.
"""

from __future__ import annotations

import ctypes
from typing import Final

#: glibc's numbers for these parameters (malloc.h).
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3

#: From this size on a block is a mapping of its own; the largest that glibc takes.
_MAPPED_BYTES: Final = 32 << 20
#: Freed memory at the end of a heap that is kept for the next array of the same call.
_KEPT_BYTES: Final = 1 << 30

_LIBC: Final = ctypes.CDLL(None)


def keep_blocks_while_working() -> None:
    """Have arrays reuse what earlier ones of the same call left."""
    if hasattr(_LIBC, "mallopt"):
        _LIBC.mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES)
        _LIBC.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def give_back() -> None:
    """Return to the system what is free; takes milliseconds, and lets other threads go on."""
    if hasattr(_LIBC, "malloc_trim"):
        _LIBC.malloc_trim(0)
