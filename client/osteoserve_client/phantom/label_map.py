"""Writes the phantom's true mask, and its CT, as NIfTI: training pairs without DICOM."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
from osteoserve_preprocessing.geometry import Geometry

from osteoserve_client.phantom.ct import PhantomCT


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
    # NIfTI's frame is RAS, ours LPS: x and y change sign.
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ geometry.affine
    image = nib.Nifti1Image(voxels.transpose(2, 1, 0), affine)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    image.header.set_xyzt_units("mm")
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)
    return path
