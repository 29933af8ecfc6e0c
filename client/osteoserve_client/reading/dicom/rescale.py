"""From stored values to Hounsfield units, exactly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from osteoserve_client.errors import HounsfieldError
from osteoserve_client.reading.dicom.attributes import integer
from osteoserve_client.reading.dicom.headers import DicomFile
from osteoserve_client.reading.dicom.pixels import PixelLayout, Stored
from osteoserve_client.reading.dicom.slices import Rescale

#: What padding becomes whose HU do not fit into int16 (-32768 stored, with intercept -1024).
AIR_HU = -1024

_INT16 = np.iinfo(np.int16)


def to_hounsfield(
    stored: Stored, rescale: Rescale, name: str, *, padding: range = range(0)
) -> npt.NDArray[np.int16]:
    """Applies HU = slope x stored + intercept (PS3.3 C.11.1.1.2), rounded to whole HU.

    Padding (pixels outside the round field of view) keeps its own, meaningless HU, as -2000 or
    -3024: far below air. Only padding that does not fit into int16 is set to air.

    Args:
        stored: (rows, columns) integers.
        rescale: Slope and intercept.
        name: How messages call the slice.
        padding: Stored values that mark padding.

    Returns:
        (rows, columns) int16, HU.

    Raises:
        HounsfieldError: A pixel's HU do not fit into int16.
    """
    if _fits(stored, rescale):
        return _rescaled(stored, rescale)
    outside = np.isin(stored, np.asarray(padding))
    measured = stored[~outside]
    if measured.size and not _fits(measured, rescale):
        raise HounsfieldError(
            f"{name}: values reach beyond {_INT16.min}..{_INT16.max} HU: they are no CT"
        )
    hounsfield = np.full(stored.shape, AIR_HU, dtype=np.int16)
    hounsfield[~outside] = _rescaled(measured, rescale)
    return hounsfield


def padding_values(file: DicomFile, layout: PixelLayout) -> range:
    """Stored values that mark pixels outside the field of view (PS3.3 C.7.5.1.1.2).

    From Pixel Padding Value to Pixel Padding Range Limit; empty when there is none.
    """
    value = integer(file.dataset, "PixelPaddingValue", file.name)
    if value is None:
        return range(0)
    limit = integer(file.dataset, "PixelPaddingRangeLimit", file.name)
    low, high = sorted(_as_stored(n, layout) for n in (value, value if limit is None else limit))
    return range(low, high + 1)


def _as_stored(value: int, layout: PixelLayout) -> int:
    """Undoes the wrong VR: -2000 written as the unsigned 63536 (seen), or the reverse."""
    whole = 1 << layout.bits_allocated
    value %= whole
    return value - whole if layout.signed and value >= whole // 2 else value


def _fits(stored: Stored, rescale: Rescale) -> bool:
    ends = np.array([stored.min(), stored.max()], dtype=np.float64)
    low, high = np.rint(ends * rescale.slope + rescale.intercept)
    return bool(low >= _INT16.min and high <= _INT16.max)


def _rescaled(stored: Stored, rescale: Rescale) -> npt.NDArray[np.int16]:
    slope, intercept = rescale.slope, rescale.intercept
    if slope.is_integer() and intercept.is_integer():
        # Wide enough for the product of whatever fits into int16 in the end.
        wide = np.int32 if stored.dtype.itemsize <= 2 else np.int64
        scaled = stored if slope == 1 else np.multiply(stored, int(slope), dtype=wide)
        out = np.empty(stored.shape, dtype=np.int16)
        # In one pass: NumPy widens and narrows block by block.
        np.add(scaled, int(intercept), out=out, dtype=wide, casting="unsafe")
        return out
    exact = stored.astype(np.float64) * slope + intercept
    rounded: npt.NDArray[np.int16] = np.rint(exact).astype(np.int16)
    return rounded
