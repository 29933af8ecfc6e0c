"""Stretcher removal on real scans, against tables outlined by hand and bones of another model.

The reference for a table is independent of the code: a polyline measured by eye on the axial
slices, row against column in voxels of the canonical grid, between the patient and the table.
The table does not move, so one line holds for all slices of a study; below it is nothing of the
patient, above it nothing of the table brighter than 98 HU.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk  # noqa: N813, as its own documentation imports it

from osteoserve_preprocessing.core import (
    StretcherMethod,
    VoxelMask,
    canonical_orientation,
    check_hounsfield,
)
from osteoserve_preprocessing.core.stretcher import TABLE_HU, Stretcher, find_stretcher
from osteoserve_preprocessing.geometry import Geometry, Volume

pytestmark = pytest.mark.real_data

FOLDERS = {
    "abdomen": "ct_abdomen_table/image",
    "abdomen, arms down": "ct_abdomen_j2k/example_ct_dicom",
    "knee": "ct_limbs_nonsquare/STS_013/CT/image",
    "hip": "ct_limbs_nonsquare/STS_040/CT/image",
    "thigh": "ct_limbs_nonsquare/STS_001/CT/image",
}
#: (column, row) of the line between patient and table.
TABLE_LINES = {
    "abdomen": [
        (0, 365), (50, 388), (100, 403), (150, 413), (250, 417),
        (350, 410), (400, 400), (450, 384), (478, 374), (511, 360),
    ],
    "abdomen, arms down": [
        (0, 395), (50, 395), (100, 412), (150, 426), (200, 438), (260, 443),
        (320, 436), (370, 420), (420, 400), (470, 387), (511, 375),
    ],
    "knee": [(0, 215), (174, 215), (175, 213), (200, 205), (225, 196), (240, 184), (251, 180)],
    "hip": [
        (0, 163), (40, 165), (60, 172), (80, 181), (100, 188), (130, 198), (150, 204), (193, 204),
    ],
}  # fmt: skip
#: TotalSegmentator's numbers of bones, version 2.
BONES = [*range(25, 51), *range(69, 79), *range(91, 117)]


def _canonical(image: sitk.Image) -> Volume:
    voxels = sitk.GetArrayFromImage(image).astype(np.int16)
    geometry = Geometry(
        voxels.shape,
        image.GetSpacing()[::-1],
        image.GetOrigin(),
        np.array(image.GetDirection()).reshape(3, 3),
    )
    return canonical_orientation(geometry).volume(Volume(voxels, geometry))


def _series(folder: Path) -> Volume:
    return _canonical(sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))))


def _labels(path: Path, volume: Volume) -> npt.NDArray[np.uint8]:
    """Labels at the places of the volume's voxels; the two files' axes differ."""
    grid = volume.geometry
    onto = sitk.Image([int(size) for size in grid.shape[::-1]], sitk.sitkUInt8)
    onto.SetSpacing(grid.spacing[::-1])
    onto.SetOrigin(grid.origin)
    onto.SetDirection(grid.direction.ravel().tolist())
    nearest = sitk.Resample(
        sitk.ReadImage(str(path)), onto, sitk.Transform(), sitk.sitkNearestNeighbor, 0
    )
    return np.asarray(sitk.GetArrayFromImage(nearest))


def _table(study: str, volume: Volume) -> npt.NDArray[np.bool_]:
    _, rows, columns = volume.geometry.shape
    x, y = zip(*TABLE_LINES[study], strict=True)
    line = np.interp(np.arange(columns), x, y)
    below = np.arange(rows)[:, None] >= line[None, :]
    return np.broadcast_to(below, volume.geometry.shape)


def _assert_law(study: str, volume: Volume, found: Stretcher) -> None:
    bright, table = volume.voxels > TABLE_HU, _table(study, volume)
    total = np.count_nonzero(bright & table)
    assert total > 10_000
    assert np.count_nonzero(found.mask.whole() & bright & table) >= 0.99 * total
    assert not (found.mask.whole() & bright & ~table).any()
    assert found.report.caution == ""


@pytest.mark.parametrize("study", TABLE_LINES)
def test_the_table_goes_and_nothing_bright_beside_it(shared_data: Path, study: str) -> None:
    volume = _series(shared_data / FOLDERS[study])
    check_hounsfield(volume.voxels)
    _assert_law(study, volume, find_stretcher(volume, StretcherMethod.BODY))


@pytest.mark.parametrize("study", ["abdomen", "abdomen, arms down"])
def test_the_papers_method_does_it_on_whole_slices(shared_data: Path, study: str) -> None:
    volume = _series(shared_data / FOLDERS[study])
    _assert_law(study, volume, find_stretcher(volume, StretcherMethod.MILARA))


@pytest.mark.parametrize("study", ["knee", "hip", "thigh"])
def test_the_papers_method_leaves_crops_alone_and_says_so(shared_data: Path, study: str) -> None:
    found = find_stretcher(_series(shared_data / FOLDERS[study]), StretcherMethod.MILARA)
    assert not found.mask.whole().any()
    assert "nothing was removed" in found.report.caution


@pytest.mark.parametrize("method", [StretcherMethod.BODY, StretcherMethod.MILARA])
def test_no_labelled_voxel_of_the_abdomen_is_lost(
    shared_data: Path, method: StretcherMethod
) -> None:
    volume = _series(shared_data / FOLDERS["abdomen, arms down"])
    labels = _labels(shared_data / "ct_abdomen_j2k" / "example_seg_dicom.nii.gz", volume)
    bones = np.isin(labels, BONES)
    assert np.count_nonzero(bones) > 70_000
    assert volume.voxels[bones].mean() > 300  # the two files do lie on each other
    mask = find_stretcher(volume, method).mask.whole()
    assert not mask[bones].any()
    assert not mask[labels > 0].any()


@pytest.mark.parametrize("method", [StretcherMethod.BODY, StretcherMethod.MILARA])
def test_no_bone_voxel_of_the_pelvis_is_lost(shared_data: Path, method: StretcherMethod) -> None:
    volume = _canonical(sitk.ReadImage(str(shared_data / "ct_pelvis_3mm" / "example_ct.nii.gz")))
    check_hounsfield(volume.voxels)
    path = shared_data / "ct_pelvis_3mm" / "bone_union_from_masks.nii.gz"
    bones = _labels(path, volume) > 0
    assert np.count_nonzero(bones) > 50_000
    assert volume.voxels[bones].mean() > 200
    assert not find_stretcher(volume, method).mask.whole()[bones].any()


def test_a_thigh_on_a_dim_table_keeps_every_voxel(shared_data: Path) -> None:
    found = find_stretcher(_series(shared_data / FOLDERS["thigh"]), StretcherMethod.BODY)
    assert found.report.removed_voxels == 0


@pytest.mark.parametrize("turn", [(1, -1, -1), (-1, 1, 1)], ids=["prone", "feet first"])
@pytest.mark.parametrize("study", ["abdomen", "abdomen, arms down"])
def test_how_the_patient_lies_does_not_matter(
    shared_data: Path, study: str, turn: tuple[int, int, int]
) -> None:
    z, y, x = turn
    volume = _series(shared_data / FOLDERS[study])
    turned = Volume(np.ascontiguousarray(volume.voxels[::z, ::y, ::x]), volume.geometry)
    found = find_stretcher(turned, StretcherMethod.BODY)
    upright = found.mask.whole()[::z, ::y, ::x]
    _assert_law(study, volume, Stretcher(VoxelMask.of(upright), found.report))


#: Single slices: voxels above 98 HU that go at least, and a box (rows, columns) that holds the
#: patient's bones and not the table.
SINGLE_SLICES = {
    "dcmqi_ct-3slice/01.dcm": (700, slice(0, 430), slice(0, 512)),
    "D_CLUNIE_CT1_RLE_FRAGS.dcm": (600, slice(0, 455), slice(0, 512)),
    "explicit_VR-UN.dcm": (1700, slice(0, 370), slice(0, 512)),  # stored upside down
    "693_UNCR.dcm": (2300, slice(80, 440), slice(130, 410)),  # a head in a U-shaped holder
    "J2K_pixelrep_mismatch.dcm": (0, slice(0, 512), slice(0, 512)),  # a head, its ears free
    "dicompyler_ct0_couch.dcm": (100, slice(0, 290), slice(0, 512)),  # arm cut by the border
    "GH1308.dcm": (0, slice(0, 512), slice(0, 512)),
    "bad_sequence.dcm": (0, slice(0, 512), slice(0, 512)),
    "CT_small.dcm": (0, slice(0, 128), slice(0, 128)),
}


@pytest.mark.parametrize("name", SINGLE_SLICES)
def test_single_slices_lose_table_and_no_bone(shared_data: Path, name: str) -> None:
    least, rows, columns = SINGLE_SLICES[name]
    volume = _canonical(sitk.ReadImage(str(shared_data / "ct_odd_single_files" / name)))
    found = find_stretcher(volume, StretcherMethod.BODY)
    assert found.report.removed_voxels >= least
    bright = volume.voxels > TABLE_HU
    assert bright[:, rows, columns].any()
    assert not (found.mask.whole() & bright)[:, rows, columns].any()
