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


def on_cells(mask: np.ndarray, cells: tuple[int, int, int]) -> np.ndarray:
    """Share of every cell of a coarser grid, whose first and last cells are centred on the mask's.

    A coarse mask that was brought to a finer grid by its nearest neighbours has shares of 0 and 1.
    """
    share = mask.astype(np.float64)
    for axis, (size, count) in enumerate(zip(mask.shape, cells, strict=True)):
        cell = np.floor(np.arange(size) * (count - 1) / (size - 1) + 0.5).astype(int)
        sums = np.zeros((count, *np.delete(share.shape, axis)))
        np.add.at(sums, cell, np.moveaxis(share, axis, 0))
        means = sums / np.bincount(cell)[:, None, None]
        share = np.moveaxis(means, 0, axis)
    return share


def dice_of(first: np.ndarray, second: np.ndarray) -> float:
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


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
        0.85,
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
    dice = dice_of(found, truth)
    assert dice >= least
    if dice < aim:
        pytest.xfail(f"Dice {dice:.3f}, {aim:.2f} is wanted: the model needs more training")


def test_the_abdomen_on_the_cells_of_its_reference(
    client: ServiceClient, shared_data: Path
) -> None:
    """The reference has cells of 3 mm; no mask of the images' own pixels can follow their steps."""
    study = read_study(shared_data / "ct_abdomen_j2k/example_ct_dicom")
    geometry = study.volume.geometry
    truth = bone_mask(shared_data / "ct_abdomen_j2k/example_seg_dicom.nii.gz", geometry, BONES)
    sizes = zip(geometry.shape, geometry.spacing, strict=True)
    z, y, x = (round(size * mm / 3.0) for size, mm in sizes)
    reference = on_cells(truth, (z, y, x))
    assert set(np.unique(reference)) == {0.0, 1.0}, "the reference has other cells"
    labels, _ = client.segment(study.volume, model="unet_skeleton")
    assert dice_of(on_cells(labels == 1, (z, y, x)) > 0.5, reference > 0.5) >= 0.90
