"""NRRD and MetaImage: where the header places voxels, they are; where it is silent, refused."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

import osteoserve_client.errors as errors
from osteoserve_client.reading import read_study
from osteoserve_preprocessing.geometry import Geometry
from tests.client.reading.conftest import Refuses
from tests.client.reading.ct_series import field, places

NAMES = ["ct.nrrd", "ct.nhdr", "ct.mha", "ct.mhd"]
ORIENTATIONS = list(product(permutations(range(3)), product((1, -1), repeat=3)))
UPRIGHT = ((0, 1, 2), (1, 1, 1))


def save(
    folder: Path,
    name: str,
    orientation: tuple[tuple[int, ...], tuple[int, ...]] = UPRIGHT,
    *,
    dtype: type = np.int16,
    compressed: bool = False,
) -> Path:
    order, signs = orientation
    geometry = Geometry(
        (5, 6, 7), (3, 2, 1), (4, -3, 2), np.eye(3)[:, list(order)] * np.array(signs)
    )
    image = SimpleITK.GetImageFromArray(field(places(geometry)).astype(dtype))
    image.SetSpacing(geometry.spacing[::-1])
    image.SetOrigin(geometry.origin)
    image.SetDirection(geometry.direction.ravel().tolist())
    SimpleITK.WriteImage(image, str(folder / name), useCompression=compressed)
    return folder / name


def replaced(path: Path, old: bytes, new: bytes) -> Path:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    return path


@pytest.mark.parametrize("name", ["ct.nrrd", "ct.mha"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_voxels_lie_where_the_header_says(
    tmp_path: Path, name: str, orientation: tuple[tuple[int, ...], tuple[int, ...]]
) -> None:
    volume = read_study(save(tmp_path, name, orientation)).volume

    assert volume.geometry.shape == (5, 6, 7)
    assert volume.geometry.spacing == (3, 2, 1)
    assert np.array_equal(volume.voxels, field(places(volume.geometry)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("compressed", [False, True])
def test_every_number_type_reads_the_same(
    tmp_path: Path, name: str, dtype: type, compressed: bool
) -> None:
    study = read_study(save(tmp_path, name, dtype=dtype, compressed=compressed))

    assert study.source == ("nrrd" if name[3] == "n" else "metaimage")
    assert np.array_equal(study.volume.voxels, field(places(study.volume.geometry)))


def test_ras_becomes_lps(tmp_path: Path) -> None:
    path = save(tmp_path, "ct.nrrd")
    replaced(path, b"left-posterior-superior", b"right-anterior-superior")

    geometry = read_study(path).volume.geometry

    assert geometry.origin == (-4, 3, 2)
    assert np.array_equal(geometry.direction, np.diag([-1, -1, 1]))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("ct.nrrd", b"left-posterior-superior", b"scanner-xyz"),
        ("ct.nrrd", b"space: left-posterior-superior\n", b"space dimension: 3\n"),
        ("ct.nrrd", b"space origin: (4,-3,2)\n", b""),
        ("ct.nrrd", b"(1,0,0) (0,2,0)", b"(1,0,0) (0.1,2,0)"),
        ("ct.nrrd", b"kinds:", b'space units: "m" "m" "m"\nkinds:'),
        ("ct.mha", b"TransformMatrix = 1 0 0 0 1 0 0 0 1\n", b""),
        ("ct.mha", b"Offset = 4 -3 2\n", b""),
        ("ct.mha", b"ElementSpacing = 1 2 3\n", b""),
    ],
)
def test_a_header_that_does_not_say_where_voxels_lie_is_refused(
    tmp_path: Path, refuses: Refuses, name: str, old: bytes, new: bytes
) -> None:
    refuses(replaced(save(tmp_path, name), old, new), errors.AffineError, name)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("ct.nrrd", lambda folder: cut(folder / "ct.nrrd")),
        ("ct.mha", lambda folder: cut(folder / "ct.mha")),
        ("ct.nhdr", lambda folder: cut(next(folder.glob("ct.raw*")))),
        ("ct.mhd", lambda folder: cut(next(folder.glob("ct.*raw*")))),
        ("ct.mhd", lambda folder: next(folder.glob("ct.*raw*")).unlink()),
    ],
)
def test_voxels_that_break_off_are_refused(
    tmp_path: Path, refuses: Refuses, name: str, damage: Callable[[Path], None], compressed: bool
) -> None:
    path = save(tmp_path, name, compressed=compressed)
    damage(tmp_path)

    refuses(path, errors.PixelDataError, f"{name}: its voxels are truncated, damaged or absent")


@pytest.mark.parametrize("name", ["ct.nrrd", "ct.mha"])
def test_files_of_another_format_are_refused(tmp_path: Path, refuses: Refuses, name: str) -> None:
    (tmp_path / name).write_bytes(b"nothing of the kind" * 30)

    refuses(tmp_path / name, errors.UnreadableFileError, f"{name}: its header is damaged")


def test_a_header_without_its_data_file_is_refused(tmp_path: Path, refuses: Refuses) -> None:
    path = save(tmp_path, "ct.nhdr")
    (tmp_path / "ct.raw").unlink()

    refuses(path, errors.UnreadableFileError, "or its data are absent")


@pytest.mark.parametrize("name", ["ct.nrrd", "ct.mha"])
@pytest.mark.parametrize(
    ("array", "error", "words"),
    [
        (np.full((5, 6, 7), np.nan, np.float32), errors.HounsfieldError, "slice 1: holds NaN"),
        (np.ones((5, 6, 7), np.uint8), errors.HounsfieldError, "none below 0"),
        (np.zeros((6, 7), np.int16), errors.DimensionError, "7x6"),
        (np.zeros((2, 5, 6, 7), np.int16), errors.DimensionError, "7x6x5x2"),
    ],
)
def test_what_is_no_ct_volume_is_refused(
    tmp_path: Path,
    refuses: Refuses,
    name: str,
    array: np.ndarray,
    error: type[errors.InputError],
    words: str,
) -> None:
    image = SimpleITK.GetImageFromArray(array, isVector=False)
    SimpleITK.WriteImage(image, str(tmp_path / name))

    refuses(tmp_path / name, error, words)


@pytest.mark.parametrize("name", ["ct.nrrd", "ct.mha"])
def test_colours_are_refused(tmp_path: Path, refuses: Refuses, name: str) -> None:
    image = SimpleITK.GetImageFromArray(np.zeros((5, 6, 7, 3), np.uint8), isVector=True)
    SimpleITK.WriteImage(image, str(tmp_path / name))

    refuses(tmp_path / name, errors.PixelFormatError, "no plain numbers")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("ct.nrrd", b"sizes: 7 6 5", b"sizes: 70000 60000 50000"),
        ("ct.mha", b"DimSize = 7 6 5", b"DimSize = 70000 60000 50000"),
    ],
)
def test_a_header_that_claims_more_than_memory_is_refused(
    tmp_path: Path, refuses: Refuses, name: str, old: bytes, new: bytes
) -> None:
    path = replaced(save(tmp_path, name), old, new)

    refuses(path, errors.PixelDataError, "70000x60000x50000 voxels")


def test_a_header_of_no_dimensions_is_refused(tmp_path: Path, refuses: Refuses) -> None:
    """Found by fuzzing: nothing is as small as the least of no sizes."""
    path = replaced(save(tmp_path, "ct.mha"), b"NDims = 3", b"NDims = 0")

    refuses(path, errors.PixelDataError, "declares no voxels")
