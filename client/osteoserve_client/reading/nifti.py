"""Reads a CT from NIfTI, and keeps its header so that a mask gets exactly the same affine.

NIfTI-1 and -2: https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h, and nifti2.h. Its
world is RAS; ours is LPS, so x and y change sign. Voxels are never flipped or permuted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.openers import ImageOpener

from osteoserve_client.errors import (
    AffineError,
    DimensionError,
    PixelDataError,
    UnreadableFileError,
)
from osteoserve_client.reading.discretion import refusing, silenced_libraries
from osteoserve_client.reading.files import Progress, unreported
from osteoserve_client.reading.hounsfield import Convert, Voxel, hounsfield_volume
from osteoserve_client.reading.limits import check_size
from osteoserve_client.study import Study
from osteoserve_preprocessing.errors import GeometryError
from osteoserve_preprocessing.geometry import Geometry, Volume

FloatArray = npt.NDArray[np.float64]

#: How far qform and sform may differ: their unit directions per element, their spacings as a part,
#: their origins as a part of a voxel. A qform's rotation is three float32, from which a fourth
#: number is the root of a difference: near half a turn it loses half of its digits.
DIRECTION_TOLERANCE = 1e-3
SPACING_TOLERANCE = 1e-3
ORIGIN_TOLERANCE = 0.1

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
#: Most bytes between the start of a file and its voxels: header and extensions, which measure
#: kilobytes.
MAX_OFFSET = 16 << 20

#: Header fields of free text; some writers put the patient's name there.
_FREE_TEXT = ("descrip", "aux_file", "intent_name", "db_name", "data_type")


def read_nifti(path: Path, name: str, *, on_progress: Progress) -> Study:
    """Reads one ``.nii`` or ``.nii.gz`` file; see ``osteoserve_client.reading.read_study``."""
    voxels, geometry, header = nifti_voxels(path, name, hounsfield_volume, on_progress=on_progress)
    return Study(volume=Volume(voxels, geometry), source="nifti", image=_without_free_text(header))


def nifti_voxels(
    path: Path, name: str, convert: Convert[Voxel], *, on_progress: Progress = unreported
) -> tuple[npt.NDArray[Voxel], Geometry, Any]:
    """The voxels of one file as ``convert`` makes them, where they lie, and the file's header.

    Args:
        path: The file.
        name: How messages call it.
        convert: What turns stored values into voxels: `hounsfield_volume`, or one like it.
        on_progress: Called with slices read and to read.

    Raises:
        InputError: The file is refused.
    """
    with silenced_libraries():
        header = _header(path, name)
        shape = _shape(header, name)
        geometry = _geometry(_affine(header, name), shape, name)
        slope, intercept = _scaling(header, name)
        voxels = convert(
            _reported(_slices(path, header, shape, name), shape[0], on_progress),
            shape,
            name,
            slope=slope,
            intercept=intercept,
        )
    return voxels, geometry, header


def _header(path: Path, name: str) -> Any:
    """The header alone: nibabel would read extensions as long as they say that they are.

    One that says 0 is read to the end of the file, whatever a compressed file expands to.
    """
    unreadable = f"{name}: cannot be read as NIfTI: it is damaged, or none"
    with refusing(UnreadableFileError, unreadable):
        with _opened(path) as file:
            start = file.read(Nifti2Header.sizeof_hdr)
        kinds: tuple[Any, ...] = (Nifti1Header, Nifti2Header)
        for kind in kinds:
            if kind.may_contain_header(start):
                header = kind(start[: kind.sizeof_hdr])
                if bytes(header["magic"]).startswith(kind.single_magic):
                    return _with_near_voxels(header, name)
        raise UnreadableFileError(unreadable)


def _with_near_voxels(header: Any, name: str) -> Any:
    if header.get_data_offset() > MAX_OFFSET:
        raise UnreadableFileError(
            f"{name}: its voxels begin {header.get_data_offset()} bytes behind the start; at most "
            f"{MAX_OFFSET} are skipped"
        )
    return header


def _reported(
    slices: Iterator[npt.NDArray[Any]], count: int, on_progress: Progress
) -> Iterator[npt.NDArray[Any]]:
    for done, one in enumerate(slices, start=1):
        yield one
        on_progress(done, count)


def _shape(header: Any, name: str) -> tuple[int, int, int]:
    """(Z, Y, X); axes of length one beyond the third are none."""
    sizes = [int(n) for n in header.get_data_shape()]
    check_size(sizes, name)
    if len(sizes) < 3 or any(n > 1 for n in sizes[3:]):
        shown = "x".join(str(n) for n in sizes)
        raise DimensionError(f"{name}: is {shown}: not one three-dimensional volume")
    x, y, z = sizes[:3]
    return z, y, x


def _affine(header: Any, name: str) -> FloatArray:
    """From (i, j, k, 1) to RAS, mm: what sform and qform both say, or the one that is set."""
    with refusing(AffineError, f"{name}: its unit of length is none that there is"):
        unit = header.get_xyzt_units()[0]
    if unit not in ("mm", "unknown"):
        raise AffineError(f"{name}: its unit of length is not mm")
    with refusing(AffineError, f"{name}: its sform or qform cannot be read"):
        found = [
            np.asarray(affine, dtype=np.float64)
            for affine in (header.get_sform(coded=True)[0], header.get_qform(coded=True)[0])
            if affine is not None
        ]
    if not found:
        raise AffineError(
            f"{name}: neither sform nor qform is set: how the patient lies is unknown"
        )
    if not all(np.isfinite(affine).all() for affine in found):
        raise AffineError(f"{name}: its sform or qform holds NaN or infinite numbers")
    if not _agree(found[0], found[-1]):
        raise AffineError(
            f"{name}: sform and qform disagree: which of them is right is unknown; set the "
            "wrong one's code to 0"
        )
    return found[0]


def _agree(one: FloatArray, other: FloatArray) -> bool:
    spacings = [np.linalg.norm(affine[:3, :3], axis=0) for affine in (one, other)]
    if min(spacings[0].min(), spacings[1].min()) <= 0:
        return False
    directions = [a[:3, :3] / s for a, s in zip((one, other), spacings, strict=True)]
    return bool(
        np.allclose(spacings[0], spacings[1], rtol=SPACING_TOLERANCE, atol=0)
        and np.abs(directions[0] - directions[1]).max() <= DIRECTION_TOLERANCE
        and np.linalg.norm(one[:3, 3] - other[:3, 3]) <= ORIGIN_TOLERANCE * spacings[0].min()
    )


def _geometry(affine: FloatArray, shape: tuple[int, int, int], name: str) -> Geometry:
    lps = _RAS_TO_LPS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    x, y, z = (float(coordinate) for coordinate in lps[:3, 3])
    try:
        return Geometry(
            shape=shape,
            spacing=(float(spacing[2]), float(spacing[1]), float(spacing[0])),
            origin=(x, y, z),
            direction=lps[:3, :3] / np.where(spacing > 0, spacing, 1.0),
        )
    except GeometryError as error:
        raise AffineError(f"{name}: {error}") from error


def _slices(
    path: Path, header: Any, shape: tuple[int, int, int], name: str
) -> Iterator[npt.NDArray[Any]]:
    """Z times (Y, X) as stored, not scaled: NIfTI stores its first axis first, so Z comes last.

    Read one after the other, so that a compressed file costs no more memory than it declares.
    """
    _, rows, columns = shape
    dtype = header.get_data_dtype()
    wanted = rows * columns * dtype.itemsize
    damaged = f"{name}: its voxels are truncated or damaged"
    with refusing(PixelDataError, damaged), _opened(path) as file:
        file.seek(header.get_data_offset())
        for _ in range(shape[0]):
            data = file.read(wanted)
            if len(data) < wanted:
                raise PixelDataError(damaged)
            yield np.frombuffer(data, dtype).reshape(rows, columns)
        if file.read(1):
            raise PixelDataError(f"{name}: holds more than the voxels that its header declares")


def _opened(path: Path) -> AbstractContextManager[BinaryIO]:
    """The file, decompressed on the way."""
    file: Any = ImageOpener(str(path), "rb")
    return file  # type: ignore[no-any-return]


def _scaling(header: Any, name: str) -> tuple[float, float]:
    """scl_slope and scl_inter; (1, 0) where values are not scaled."""
    with refusing(UnreadableFileError, f"{name}: its scl_slope and scl_inter are not both numbers"):
        slope, intercept = header.get_slope_inter()
    return (1.0, 0.0) if slope is None else (float(slope), float(intercept))


def _without_free_text(header: Any) -> Nifti1Header:
    kept: Nifti1Header = header.copy()
    for field in _FREE_TEXT:
        if field in kept:
            kept[field] = b""
    kept.extensions.clear()
    return kept
