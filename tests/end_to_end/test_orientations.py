"""However a body is stored, its skeleton lies at the same place in the patient, to the voxel.

One small body, as NIfTI in all 48 axis permutations and flips, and as DICOM in the 24 that slices
ordered along their normal can express: read, segmented by the shipped model, and compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from itertools import permutations, product
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

from osteoserve_client.phantom import make_ct_phantom, write_dicom_study
from osteoserve_client.reading import read_study
from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.geometry import Geometry, Volume

MODEL = "unet_skeleton"
ORIENTATIONS = [
    (axes, flips) for axes in permutations(range(3)) for flips in product((False, True), repeat=3)
]


def turned(volume: Volume, axes: tuple[int, ...], flips: tuple[bool, ...]) -> Volume:
    """The same body, stored with its array axes permuted and then flipped."""
    voxels = volume.voxels.transpose(axes)
    affine = volume.geometry.affine
    # Columns of the affine belong to i, j, k, the array's axes 2, 1, 0.
    columns = [affine[:3, 2 - axis] for axis in axes]
    origin = affine[:3, 3].copy()
    for axis, flip in enumerate(flips):
        if flip:
            origin += columns[axis] * (voxels.shape[axis] - 1)
            columns[axis] = -columns[axis]
            voxels = np.flip(voxels, axis)
    spacing = tuple(float(np.linalg.norm(column)) for column in columns)
    direction = np.stack(
        [column / size for column, size in zip(columns, spacing, strict=True)][::-1], axis=1
    )
    return Volume(
        np.ascontiguousarray(voxels), Geometry(voxels.shape, spacing, tuple(origin), direction)
    )


def turned_back(labels: np.ndarray, axes: tuple[int, ...], flips: tuple[bool, ...]) -> np.ndarray:
    for axis, flip in enumerate(flips):
        if flip:
            labels = np.flip(labels, axis)
    return labels.transpose(np.argsort(axes))


def write_nifti(volume: Volume, path: Path) -> Path:
    to_ras = np.diag([-1.0, -1.0, 1.0, 1.0])
    image = nibabel.Nifti1Image(volume.voxels.transpose(2, 1, 0), to_ras @ volume.geometry.affine)
    image.set_qform(image.affine, code=1)
    image.set_sform(image.affine, code=1)
    nibabel.save(image, path)
    return path


def write_dicom(volume: Volume, template: pydicom.Dataset, folder: Path) -> Path:
    """One file per slice, named and numbered against their order in the patient."""
    geometry, affine = volume.geometry, volume.geometry.affine
    folder.mkdir()
    for k, pixels in enumerate(volume.voxels):
        dataset = deepcopy(template)
        dataset.Rows, dataset.Columns = pixels.shape
        dataset.PixelSpacing = [f"{size:.6g}" for size in geometry.spacing[1:]]
        dataset.ImageOrientationPatient = [*geometry.direction[:, 0], *geometry.direction[:, 1]]
        dataset.ImagePositionPatient = [f"{x:.8g}" for x in affine[:3] @ (0, 0, k, 1)]
        dataset.SpacingBetweenSlices = dataset.SliceThickness = f"{geometry.spacing[0]:.6g}"
        dataset.InstanceNumber = (7 * k) % len(volume.voxels) + 1
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        stored = pixels.astype(np.int32) - int(dataset.RescaleIntercept)
        dtype = np.int16 if dataset.PixelRepresentation else np.uint16
        dataset.PixelData = stored.astype(dtype).tobytes()
        dataset.save_as(folder / f"{(11 * k) % len(volume.voxels):03}.dcm")
    return folder


@pytest.fixture(scope="module")
def body() -> Volume:
    """A part of the phantom of which no axis and no spacing can be taken for another."""
    volume = make_ct_phantom(slices=5, seed=3, region="pelvis").volume
    voxels = np.ascontiguousarray(volume.voxels[:, 176:320, 100:260])
    return Volume(voxels, Geometry(voxels.shape, (4.0, 0.98, 0.95), (-80.0, -70.0, 900.0)))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> pydicom.Dataset:
    folder = tmp_path_factory.mktemp("template")
    phantom = make_ct_phantom(slices=2, rows=64, columns=64, pixel_spacing_mm=8.0)
    return pydicom.dcmread(write_dicom_study(phantom, folder)[0])


@pytest.fixture(scope="module")
def client(service: str) -> Iterator[ServiceClient]:
    with ServiceClient(service) as client:
        yield client


@pytest.fixture(scope="module")
def expected(client: ServiceClient, body: Volume) -> np.ndarray:
    labels, _ = client.segment(body, model=MODEL)
    assert 0.01 < labels.mean() < 0.5, "there is nothing to compare"
    return labels


@pytest.mark.parametrize(("axes", "flips"), ORIENTATIONS)
def test_nifti(
    client: ServiceClient,
    body: Volume,
    expected: np.ndarray,
    tmp_path: Path,
    axes: tuple[int, ...],
    flips: tuple[bool, ...],
) -> None:
    study = read_study(write_nifti(turned(body, axes, flips), tmp_path / "body.nii.gz"))
    labels, _ = client.segment(study.volume, model=MODEL)
    np.testing.assert_array_equal(turned_back(labels, axes, flips), expected)


@pytest.mark.parametrize(
    ("axes", "flips"),
    [
        (axes, flips)
        for axes, flips in ORIENTATIONS
        if np.linalg.det(np.eye(3)[list(axes)]) * (-1) ** sum(flips) > 0
    ],
)
def test_dicom(
    client: ServiceClient,
    body: Volume,
    template: pydicom.Dataset,
    expected: np.ndarray,
    tmp_path: Path,
    axes: tuple[int, ...],
    flips: tuple[bool, ...],
) -> None:
    study = read_study(write_dicom(turned(body, axes, flips), template, tmp_path / "study"))
    labels, _ = client.segment(study.volume, model=MODEL)
    np.testing.assert_array_equal(turned_back(labels, axes, flips), expected)
