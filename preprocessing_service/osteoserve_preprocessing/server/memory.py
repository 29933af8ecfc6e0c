"""Memory that is given back: a service that lives for months must not keep its largest call's."""

from __future__ import annotations

import ctypes

#: glibc's parameter numbers (malloc.h): the size from which a block is a mapping of its own, and
#: how much of a heap may be free at its end before that is given back.
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1

#: Above the chunks of a stream, which come and go by the hundred; below any array of a volume.
_THRESHOLD_BYTES = 4 << 20


def give_back_large_blocks() -> None:
    """Have freed arrays returned to the system at once.

    Left alone, glibc raises its threshold to 32 MiB after the first large blocks were freed, and
    then keeps arrays below that, such as the grey values of 120 slices, in the heaps of all
    threads: after six calls with 63 MB each, 548 MB stayed resident, with this 149 MB. Smaller
    blocks come and go with every slice: given back each time, as they are by default once a
    threshold is set, their pages would fault anew (half a second in 500 slices). Other C libraries
    have no such thresholds, and nothing is done there.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _THRESHOLD_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _THRESHOLD_BYTES)
