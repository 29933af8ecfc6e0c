"""An array is seen by whom it is shown to, as it is, and by nobody who guesses."""

from __future__ import annotations

import errno
import fcntl
import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest

from osteoserve_preprocessing.errors import SharedMemoryError
from osteoserve_preprocessing.shared_memory import (
    SECRET_BYTES,
    Reference,
    attach,
    empty_shareable,
    reference_to,
)

SHAPE = (3, 4, 5)

#: Reads an int16 array and doubles another, as another process of this user.
OTHER = """
import json, sys, numpy as np
from osteoserve_preprocessing.shared_memory import Reference, attach
seen, written = (Reference(p, d, bytes.fromhex(s)) for p, d, s in json.loads(sys.argv[1]))
voxels = attach(seen, (3, 4, 5), np.int16)
assert not voxels.flags.writeable
doubled = attach(written, (3, 4, 5), np.int32, writable=True)
doubled[...] = 2 * voxels.astype(np.int32)
"""


def shared(dtype: type = np.int16) -> np.ndarray:
    array = empty_shareable(SHAPE, dtype)
    array[...] = np.arange(60).reshape(SHAPE) * 500 - 15000
    return array


def known(array: np.ndarray) -> Reference:
    reference = reference_to(array)
    assert reference is not None
    return reference


def test_another_process_sees_and_fills_arrays() -> None:
    voxels, doubled = shared(), empty_shareable(SHAPE, np.int32)
    told = [(r.process, r.descriptor, r.secret.hex()) for r in map(known, (voxels, doubled))]
    subprocess.run([sys.executable, "-c", OTHER, json.dumps(told)], check=True)
    assert np.array_equal(voxels, shared())
    assert np.array_equal(doubled, 2 * shared().astype(np.int32))


def test_what_is_only_to_be_read_cannot_be_written() -> None:
    seen = attach(known(array := shared()), SHAPE, np.int16)
    array[0, 0, 0] = 7
    assert seen[0, 0, 0] == 7
    with pytest.raises(ValueError, match="read-only"):
        seen[0, 0, 0] = 1


def test_only_a_whole_array_in_its_own_order_can_be_shown() -> None:
    array = shared()
    assert reference_to(array.reshape(12, 5)) == reference_to(array)
    for other in (array[1:], array[::-1], array.T, array.astype(np.int16), np.zeros(SHAPE)):
        assert reference_to(other) is None


def test_nobody_can_shorten_it() -> None:
    reference = known(array := shared())
    with pytest.raises(PermissionError):
        os.ftruncate(reference.descriptor, 10)
    with pytest.raises(PermissionError):
        fcntl.fcntl(reference.descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
    assert np.array_equal(array, shared())


def test_it_ends_with_the_last_array_that_uses_it() -> None:
    array = shared()
    reference, part = known(array), array[2:]
    seen = attach(reference, SHAPE, np.int16)
    del array
    gc.collect()
    assert np.array_equal(part, shared()[2:])
    os.fstat(reference.descriptor)
    del part
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reference.descriptor)
    assert np.array_equal(seen, shared())


@pytest.mark.parametrize("shape", [(3, 4, 6), (3, 4, 4), (1 << 20, 1 << 20, 1 << 20)])
def test_an_array_of_another_size_is_refused(shape: tuple[int, int, int]) -> None:
    array = shared()
    with pytest.raises(SharedMemoryError):
        attach(known(array), shape, np.int16)


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one._replace(secret=bytes(SECRET_BYTES)),
        lambda one: one._replace(secret=one.secret[:-1]),
        lambda one: one._replace(secret=b""),
        lambda one: one._replace(process=2**32 - 1),
        lambda one: one._replace(descriptor=2**32 - 1),
        lambda one: one._replace(process=1),
    ],
)
def test_who_guesses_is_shown_nothing(change: Callable[[Reference], Reference]) -> None:
    array = shared()
    with pytest.raises(SharedMemoryError):
        attach(change(known(array)), SHAPE, np.int16)


def test_without_such_memory_it_is_an_array_like_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_left(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "memfd_create", none_left)
    array = shared()
    assert np.array_equal(array, np.arange(60).reshape(SHAPE) * 500 - 15000)
    assert reference_to(array) is None


@contextmanager
def ordinary_file(content: bytes, folder: Path) -> Iterator[int]:
    (folder / "file").write_bytes(content)
    with (folder / "file").open("rb") as file:
        yield file.fileno()


@contextmanager
def unsealed_memory(content: bytes, _: Path) -> Iterator[int]:
    descriptor = os.memfd_create("osteoserve", os.MFD_ALLOW_SEALING)
    os.write(descriptor, content)
    yield descriptor
    os.close(descriptor)


@contextmanager
def pipe(content: bytes, _: Path) -> Iterator[int]:
    end, start = os.pipe()
    os.write(start, content)
    yield end
    os.close(end)
    os.close(start)


@pytest.mark.parametrize("make", [ordinary_file, unsealed_memory, pipe])
def test_nothing_but_sealed_memory_is_opened(
    make: Callable[[bytes, Path], AbstractContextManager[int]], tmp_path: Path
) -> None:
    secret = bytes(range(SECRET_BYTES))
    with (
        make(shared().tobytes() + secret, tmp_path) as descriptor,
        pytest.raises(SharedMemoryError),
    ):
        attach(Reference(os.getpid(), descriptor, secret), SHAPE, np.int16)
