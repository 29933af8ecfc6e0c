"""Turns the numbers of files that name no unit into HU, or refuses numbers that cannot be HU."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from osteoserve_client.errors import HounsfieldError, PixelFormatError
from osteoserve_preprocessing.shared_memory import empty_shareable

#: A volume whose values span less was normalised (0..1, z-scores): air and fat alone lie 900 HU
#: apart, fat and bone 200.
MIN_SPAN_HU = 100

_INT16 = np.iinfo(np.int16)

Voxel = TypeVar("Voxel", bound=np.generic, covariant=True)


class Convert(Protocol[Voxel]):
    """What turns the numbers of a file into voxels, as `hounsfield_volume` does."""

    def __call__(
        self,
        slices: Iterable[npt.NDArray[Any]],
        shape: tuple[int, int, int],
        name: str,
        /,
        *,
        slope: float = 1.0,
        intercept: float = 0.0,
    ) -> npt.NDArray[Voxel]:
        """(Z, Y, X) voxels from Z times (Y, X) numbers."""


def hounsfield_volume(
    slices: Iterable[npt.NDArray[Any]],
    shape: tuple[int, int, int],
    name: str,
    *,
    slope: float = 1.0,
    intercept: float = 0.0,
) -> npt.NDArray[np.int16]:
    """One array of int16 HU, rounded; one slice at a time, so that no second volume is held.

    Args:
        slices: Z times (Y, X), integers or floating-point numbers.
        shape: (Z, Y, X).
        name: How messages call the file.
        slope: HU = slope x value + intercept.
        intercept: Likewise.

    Returns:
        (Z, Y, X) int16, HU.

    Raises:
        PixelFormatError: The values are colours or complex numbers.
        HounsfieldError: A value is NaN or infinite, or does not fit into int16; or the volume
            cannot be HU: nothing lies below 0, or all lies within 100.
    """
    hounsfield: npt.NDArray[np.int16] = empty_shareable(shape, np.int16)
    for out, values, number in zip(hounsfield, slices, range(1, shape[0] + 1), strict=True):
        if values.dtype.kind not in "iuf":
            raise PixelFormatError(f"{name}: its voxels are no plain numbers (colour, or complex)")
        if values.dtype.kind == "i" and values.dtype.itemsize <= 2 and (slope, intercept) == (1, 0):
            out[...] = values
        else:
            out[...] = _whole(values, f"{name}, slice {number}", slope, intercept)
    _check_plausible(hounsfield, name)
    return hounsfield


def _whole(
    values: npt.NDArray[Any], name: str, slope: float, intercept: float
) -> npt.NDArray[np.float64]:
    exact = values.astype(np.float64) * slope + intercept
    if not np.isfinite(exact).all():
        raise HounsfieldError(f"{name}: holds NaN or infinite values")
    rounded: npt.NDArray[np.float64] = np.rint(exact)
    if rounded.min() < _INT16.min or rounded.max() > _INT16.max:
        raise HounsfieldError(
            f"{name}: values reach beyond {_INT16.min}..{_INT16.max}: they are no HU"
        )
    return rounded


def _check_plausible(hounsfield: npt.NDArray[np.int16], name: str) -> None:
    low, high = int(hounsfield.min()), int(hounsfield.max())
    if low >= 0:
        raise HounsfieldError(
            f"{name}: values lie in {low}..{high}, none below 0: no HU, but a normalised image, "
            "a label map, or a CT whose intercept was lost"
        )
    if high - low < MIN_SPAN_HU:
        raise HounsfieldError(f"{name}: values lie in {low}..{high}: normalised, no HU")
