"""Arrays that another process of the same user and machine may see where they lie.

An array made here lies in a memory file of Linux (memfd_create(2)): it has no name, so it ends with
the processes that use it, however they end. Who is to see it is told where it is, and a secret that
lies behind the array: whoever merely guesses a process and a descriptor is shown nothing. The files
are sealed against shrinking, so that nobody can pull the memory from under another's feet.
"""

from __future__ import annotations

import fcntl
import hmac
import math
import mmap
import os
import secrets
import stat
import sys
import weakref
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.errors import SharedMemoryError

SECRET_BYTES: Final = 16

#: Nobody may make the file shorter or longer, nor take this back.
_SEALS: Final = (
    fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL if sys.platform == "linux" else 0
)


class Reference(NamedTuple):
    """Where an array lies, for another process.

    Args:
        process: Whose memory it is.
        descriptor: Of the memory file, in that process.
        secret: What lies behind the array.
    """

    process: int
    descriptor: int
    secret: bytes


class _Memory(mmap.mmap):
    """A mapping of a whole memory file that knows how it is referred to."""

    reference: Reference


def empty_shareable(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """An array like numpy's ``empty``, in memory that can be shown to others.

    Where the system gives no such memory (another than Linux, no descriptor left) it is an array
    like any other, which `reference_to` tells: it is sent instead, and nothing else differs.
    """
    if sys.platform != "linux":
        return np.empty(shape, dtype)
    try:
        return _empty_in_memory_file(shape, dtype)
    except OSError:
        return np.empty(shape, dtype)


def _empty_in_memory_file(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    count, size = math.prod(shape), math.prod(shape) * np.dtype(dtype).itemsize
    descriptor = os.memfd_create("osteoserve", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, size + SECRET_BYTES)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        memory = _Memory(descriptor, size + SECRET_BYTES)
    except BaseException:
        os.close(descriptor)
        raise
    weakref.finalize(memory, os.close, descriptor)
    memory.reference = Reference(os.getpid(), descriptor, secrets.token_bytes(SECRET_BYTES))
    memory[size:] = memory.reference.secret
    return np.frombuffer(memory, dtype, count).reshape(shape)


def reference_to(array: npt.NDArray[Any]) -> Reference | None:
    """Where the whole of an array lies that `empty_shareable` made; None for any other."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    memory = owner.obj if isinstance(owner, memoryview) else owner
    if not isinstance(memory, _Memory) or memory.reference.process != os.getpid():
        return None
    whole = array.nbytes + SECRET_BYTES == len(memory) and array.flags.c_contiguous
    return memory.reference if whole else None


def attach(
    reference: Reference, shape: tuple[int, ...], dtype: npt.DTypeLike, *, writable: bool = False
) -> npt.NDArray[Any]:
    """Another process's array, where it lies.

    Args:
        reference: Where; whatever somebody says.
        shape: Of the array.
        dtype: Of the array.
        writable: Whether it is to be written to.

    Raises:
        SharedMemoryError: There is no such array, or not for this process to see.
    """
    count, size = math.prod(shape), math.prod(shape) * np.dtype(dtype).itemsize
    try:
        memory = _mapped(reference, size + SECRET_BYTES, writable=writable)
    except (OSError, ValueError, OverflowError) as error:
        raise SharedMemoryError("no memory is shared there") from error
    if not hmac.compare_digest(memory[size:], reference.secret):
        raise SharedMemoryError("no memory is shared there")
    return np.frombuffer(memory, dtype, count).reshape(shape)


def _mapped(reference: Reference, size: int, *, writable: bool) -> mmap.mmap:
    path = Path(f"/proc/{reference.process}/fd/{reference.descriptor}")
    # Looked at before it is opened: to open a device or a pipe can do something.
    if not _is_memory_of_this_user(path.stat(), size):
        raise SharedMemoryError("no memory is shared there")
    descriptor = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC)
    try:
        # What is behind the path may have changed; what is open cannot.
        sealed = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & _SEALS == _SEALS
        if not sealed or not _is_memory_of_this_user(os.fstat(descriptor), size):
            raise SharedMemoryError("no memory is shared there")
        access = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        return mmap.mmap(descriptor, size, mmap.MAP_SHARED, access)
    finally:
        os.close(descriptor)


def _is_memory_of_this_user(status: os.stat_result, size: int) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and status.st_size == size
