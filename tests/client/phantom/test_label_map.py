"""The NIfTI pair lies on the phantom's grid."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from osteoserve_client.phantom import make_ct_phantom, write_ct_nifti, write_label_map


def test_the_pair_lies_on_the_phantoms_grid(tmp_path: Path) -> None:
    phantom = make_ct_phantom(
        slices=3, rows=64, columns=80, pixel_spacing_mm=6.0, region="pelvis", seed=1
    )
    labels = nib.load(write_label_map(phantom, tmp_path / "pair" / "label.nii.gz"))
    image = nib.load(write_ct_nifti(phantom, tmp_path / "pair" / "image.nii.gz"))
    expected = np.diag([-1.0, -1.0, 1.0, 1.0]) @ phantom.volume.geometry.affine
    for loaded, voxels in ((labels, phantom.labels), (image, phantom.volume.voxels)):
        assert loaded.affine == pytest.approx(expected, abs=1e-3)
        assert loaded.get_qform() == pytest.approx(loaded.get_sform(), abs=1e-3)
        stored = np.asarray(loaded.dataobj)
        assert stored.dtype == voxels.dtype
        assert np.array_equal(stored.transpose(2, 1, 0), voxels)
    assert 0 < phantom.labels.sum() < phantom.labels.size
