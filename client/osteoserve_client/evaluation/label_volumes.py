"""Reads label maps of a CT from NIfTI, NRRD and MetaImage."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from osteoserve_client.errors import LabelMapError
from osteoserve_client.evaluation.label_maps import NAMELESS, Labels, LabelVolume, Names
from osteoserve_client.reading.nifti import nifti_voxels
from osteoserve_client.reading.nrrd_metaimage import metaimage_voxels, nrrd_voxels

NIFTI: Final = (".nii.gz", ".nii")
NRRD: Final = (".nrrd", ".nhdr")
METAIMAGE: Final = (".mha", ".mhd")


def read_label_volume(path: Path, name: str, names: Names = NAMELESS) -> LabelVolume:
    """Read one label map, with the axes as they are stored.

    Args:
        path: NIfTI, NRRD or MetaImage, by its suffix.
        name: How messages call it.
        names: What its values mean, where that is known.

    Raises:
        LabelMapError: A value is no whole number from 0 to 255.
        InputError: The file is damaged, not three-dimensional, or does not say where it lies.
    """
    lower = path.name.lower()
    if lower.endswith(NIFTI):
        labels, geometry, _ = nifti_voxels(path, name, label_volume)
    elif lower.endswith(NRRD):
        labels, geometry = nrrd_voxels(path, name, label_volume)
    else:
        labels, geometry = metaimage_voxels(path, name, label_volume)
    return LabelVolume(labels, geometry, names)


def label_volume(
    slices: Iterable[npt.NDArray[Any]],
    shape: tuple[int, int, int],
    name: str,
    /,
    *,
    slope: float = 1.0,
    intercept: float = 0.0,
) -> Labels:
    """One array of labels, of slices in any plain type.

    Args:
        slices: Z times (Y, X), whole numbers of any type.
        shape: (Z, Y, X).
        name: How messages call the file.
        slope: Label = slope x value + intercept.
        intercept: Likewise.

    Returns:
        (Z, Y, X) uint8.

    Raises:
        LabelMapError: A value is no whole number from 0 to 255.
    """
    labels = np.empty(shape, dtype=np.uint8)
    for out, values in zip(labels, slices, strict=True):
        if values.dtype.kind not in "biuf":
            raise LabelMapError(f"{name}: its voxels are no plain numbers (colour, or complex)")
        exact = values if (slope, intercept) == (1, 0) else values * slope + intercept
        # False for NaN as well.
        if not ((exact >= 0) & (exact <= 255)).all() or (exact != np.rint(exact)).any():
            raise LabelMapError(
                f"{name}: is no label map: a value is no whole number from 0 to 255"
            )
        out[...] = exact
    return labels
