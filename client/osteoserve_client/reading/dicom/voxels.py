"""Fills one array with the HU of a stack's slices, one slice in memory at a time."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import numpy.typing as npt

from osteoserve_client.errors import InconsistentSlicesError
from osteoserve_client.reading.dicom.headers import DicomFile
from osteoserve_client.reading.dicom.pixels import (
    PixelLayout,
    Stored,
    frame_decoders,
    pixel_layout,
)
from osteoserve_client.reading.dicom.rescale import padding_values, to_hounsfield
from osteoserve_client.reading.dicom.slices import Slice
from osteoserve_client.reading.dicom.stack import Stack
from osteoserve_client.reading.limits import check_size
from osteoserve_preprocessing.shared_memory import empty_shareable

#: Threads that read, decode and rescale: mostly C code that releases the interpreter lock. More
#: than these only hold more memory.
_THREADS = min(4, os.cpu_count() or 1)


def read_voxels(stack: Stack, *, on_slice: Callable[[int], None]) -> npt.NDArray[np.int16]:
    """Reads, decodes and rescales all slices.

    Args:
        stack: The slices in order.
        on_slice: Called with the number of slices that are done, in this thread.

    Returns:
        (Z, Y, X) int16, HU; Z in the order of the stack.

    Raises:
        PixelDataError: Pixel data are truncated, damaged or larger than declared.
        PixelFormatError, TransferSyntaxError: They cannot be decoded.
        InconsistentSlicesError: Slices differ in size.
        HounsfieldError: Values do not fit into int16.
    """
    layouts = {one.file: pixel_layout(one.file) for one in stack.slices}
    first = layouts[stack.slices[0].file]
    for file, layout in layouts.items():
        if (layout.rows, layout.columns) != (first.rows, first.columns):
            raise InconsistentSlicesError(f"{file.name}: differs in size from the other slices")
    shape = (len(stack.slices), first.rows, first.columns)
    check_size(shape, stack.slices[0].name)
    voxels: npt.NDArray[np.int16] = empty_shareable(shape, np.int16)
    jobs = [
        partial(_fill, voxels[k], one, layouts[one.file], decode)
        for k, (one, decode) in enumerate(zip(stack.slices, _decoders(stack, layouts), strict=True))
    ]
    with ThreadPoolExecutor(_THREADS) as pool:
        for done, _ in enumerate(pool.map(lambda job: job(), jobs), start=1):
            on_slice(done)
    return voxels


def _decoders(stack: Stack, layouts: dict[DicomFile, PixelLayout]) -> list[Callable[[], Stored]]:
    """For each slice what reads and decodes it; a multi-frame file is read here, once."""
    if any(layout.frames > 1 for layout in layouts.values()):
        frames = {file: frame_decoders(file, layout) for file, layout in layouts.items()}
        return [frames[one.file][one.frame] for one in stack.slices]
    return [partial(_read_single, one.file, layouts[one.file]) for one in stack.slices]


def _read_single(file: DicomFile, layout: PixelLayout) -> Stored:
    return frame_decoders(file, layout)[0]()


def _fill(
    out: npt.NDArray[np.int16], one: Slice, layout: PixelLayout, decode: Callable[[], Stored]
) -> None:
    padding = padding_values(one.file, layout)
    out[...] = to_hounsfield(decode(), one.rescale, one.name, padding=padding)
