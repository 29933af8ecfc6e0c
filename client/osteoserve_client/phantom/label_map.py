"""Writes the phantom's true mask, and its CT, as NIfTI: training pairs without DICOM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK

from osteoserve_client.phantom.ct import PhantomCT
from osteoserve_preprocessing.geometry import Geometry


def write_label_map(phantom: PhantomCT, path: Path) -> Path:
    """Write the labels (X, Y, Z) uint8, 0 background, 1 skeleton, with the CT's affine.

    Args:
        phantom: The phantom.
        path: A name that ends in .nii or .nii.gz.

    Returns:
        The path.
    """
    return _write(phantom.labels, phantom.volume.geometry, path)


def write_ct_nifti(phantom: PhantomCT, path: Path) -> Path:
    """Write the CT (X, Y, Z) int16 HU as NIfTI, sform and qform alike.

    Args:
        phantom: The phantom.
        path: A name that ends in .nii or .nii.gz.

    Returns:
        The path.
    """
    return _write(phantom.volume.voxels, phantom.volume.geometry, path)


def _write(voxels: npt.NDArray[np.generic], geometry: Geometry, path: Path) -> Path:
    # SimpleITK's frame is LPS, as ours; it writes NIfTI's RAS with sform and qform alike.
    image = SimpleITK.GetImageFromArray(voxels)
    # SimpleITK's own annotations stop at its swig wrappers.
    image.SetSpacing(geometry.spacing[::-1])
    image.SetOrigin(geometry.origin)
    image.SetDirection(geometry.direction.ravel().tolist())
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(image, str(path), useCompression=True)
    return path
