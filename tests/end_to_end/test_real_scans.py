"""Real scans by the whole path: read, sent, segmented by the served model, and held against masks.

The masks are another model's (docs/data.md). A model that falls below ``least`` is a step back; one
that has not reached ``aim``, which the project wants of it, is reported as an expected failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from osteoserve_client.reading import read_study
from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.geometry import Geometry

pytestmark = [pytest.mark.real_data, pytest.mark.slow]

#: TotalSegmentator v2: vertebrae, limbs, girdles, skull, ribs, sternum; 117, cartilage, is none.
BONES = [*range(25, 51), *range(69, 79), *range(91, 117)]


@pytest.fixture(scope="module")
def client(service: str) -> Iterator[ServiceClient]:
    with ServiceClient(service) as client:
        yield client


def bone_mask(path: Path, geometry: Geometry, bones: list[int]) -> np.ndarray:
    """(Z, Y, X) bool: the reference on the study's own grid, matched by place, not by index."""
    grid = SimpleITK.Image(*geometry.shape[::-1], SimpleITK.sitkUInt8)
    grid.SetSpacing(geometry.spacing[::-1])
    grid.SetOrigin(geometry.origin)
    grid.SetDirection(geometry.direction.ravel().tolist())
    reference = SimpleITK.Resample(
        SimpleITK.ReadImage(path), grid, SimpleITK.Transform(), SimpleITK.sitkNearestNeighbor
    )
    return np.isin(SimpleITK.GetArrayFromImage(reference), bones)


STUDIES = [
    (
        "ct_pelvis_3mm/example_ct.nii.gz",
        "ct_pelvis_3mm/bone_union_from_masks.nii.gz",
        [1],
        0.93,
        0.93,
    ),
    (
        "ct_abdomen_j2k/example_ct_dicom",
        "ct_abdomen_j2k/example_seg_dicom.nii.gz",
        BONES,
        0.84,
        0.90,
    ),
]


@pytest.mark.parametrize(("image", "reference", "bones", "least", "aim"), STUDIES)
def test_dice_and_stretcher(
    client: ServiceClient,
    shared_data: Path,
    image: str,
    reference: str,
    bones: list[int],
    least: float,
    aim: float,
) -> None:
    study = read_study(shared_data / image)
    truth = bone_mask(shared_data / reference, study.volume.geometry, bones)
    labels, _ = client.segment(study.volume, model="unet_skeleton")
    removed = client.preprocess(study.volume, model="unet_skeleton").stretcher_mask
    assert not (removed & truth).any(), "bone was taken for stretcher"
    found = labels == 1
    dice = 2 * (found & truth).sum() / (found.sum() + truth.sum())
    assert dice >= least
    if dice < aim:
        pytest.xfail(f"Dice {dice:.3f}, {aim:.2f} is wanted: the model needs more training")
