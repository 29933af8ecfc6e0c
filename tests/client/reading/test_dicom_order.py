"""Neither file names, nor instance numbers, nor nesting, nor what else lies there matters."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from osteoserve_client.reading import read_study
from osteoserve_client.study import Study
from tests.client.reading.ct_series import Series, field, places, save

SERIES = Series()


def assert_lies_right(study: Study) -> None:
    volume = study.volume
    assert np.array_equal(volume.voxels, field(places(volume.geometry)))


def test_geometry_is_the_one_worked_out_by_hand(tmp_path: Path) -> None:
    study = read_study(SERIES.write(tmp_path))

    geometry = study.volume.geometry
    assert geometry.shape == (5, 6, 7)
    assert geometry.spacing == (3.0, 2.0, 1.0)
    assert geometry.origin == (4.0, -3.0, 2.0)
    assert np.array_equal(geometry.direction, np.eye(3))
    # Voxel (k, j, i) = (4, 5, 6) lies at (4 + 6x1, -3 + 5x2, 2 + 4x3) = (10, 7, 14):
    # 3x10 + 20x7 + 120x14 - 1000 = 850.
    assert study.volume.voxels[4, 5, 6] == 850
    assert study.volume.voxels.dtype == np.int16
    assert study.warnings == ()


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name_order=st.permutations(range(5)),
    numbers=st.permutations(range(5)),
    files=st.permutations(range(5)),
)
def test_any_order_of_names_numbers_and_files_gives_the_same_volume(
    tmp_path_factory: pytest.TempPathFactory,
    name_order: list[int],
    numbers: list[int],
    files: list[int],
) -> None:
    folder = tmp_path_factory.mktemp("shuffled")
    for index in files:
        dataset = SERIES.dataset(index)
        dataset.InstanceNumber = numbers[index]
        save(dataset, folder / f"{name_order[index]}")

    study = read_study(folder)

    assert study.volume.geometry.origin == (4.0, -3.0, 2.0)
    assert_lies_right(study)
    assert [float(one.ImagePositionPatient[2]) for one in study.datasets] == [2, 5, 8, 11, 14]


def test_slices_going_down_are_turned_to_go_along_their_normal(tmp_path: Path) -> None:
    study = read_study(SERIES.with_(step=(0.0, 0.0, -3.0)).write(tmp_path))

    assert study.volume.geometry.origin == (4.0, -3.0, -10.0)
    assert np.array_equal(study.volume.geometry.direction, np.eye(3))
    assert_lies_right(study)


def test_nested_folders_and_other_files_do_not_matter(tmp_path: Path) -> None:
    for index in range(SERIES.slices):
        folder = tmp_path / f"part {index}" / "deeper"
        folder.mkdir(parents=True)
        save(SERIES.dataset(index), folder / "IM.dcm")
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "._IM.dcm").write_bytes(b"\0\x05\x16\x07")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "IM.dcm").write_bytes(b"no image")

    study = read_study(tmp_path)

    assert_lies_right(study)
    assert study.warnings == ("1 file was ignored: no DICOM image",)


def test_links_and_loops_of_links_count_once(tmp_path: Path) -> None:
    folder = SERIES.write(tmp_path / "study")
    (folder / "again").symlink_to(folder, target_is_directory=True)
    (folder / "same.dcm").symlink_to(folder / "IM0000.dcm")
    os.link(folder / "IM0001.dcm", folder / "hard.dcm")
    (folder / "gone.dcm").symlink_to(folder / "nowhere")

    assert_lies_right(read_study(folder))


def test_progress_grows_to_its_total(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    read_study(SERIES.write(tmp_path), on_progress=lambda done, total: seen.append((done, total)))

    done = [one for one, _ in seen]
    assert {total for _, total in seen} == {10}
    assert done == sorted(done)
    assert done[-1] == 10


def test_datasets_keep_everything_but_the_pixels(tmp_path: Path) -> None:
    study = read_study(SERIES.write(tmp_path))

    assert len(study.datasets) == 5
    for index, dataset in enumerate(study.datasets):
        assert "PixelData" not in dataset
        assert dataset.SOPInstanceUID == SERIES.dataset(index).SOPInstanceUID


def test_a_single_slice_takes_its_thickness_for_the_spacing(tmp_path: Path) -> None:
    path = save(SERIES.dataset(0), tmp_path / "IM.dcm")

    study = read_study(path)

    assert study.volume.geometry.spacing == (3.0, 2.0, 1.0)
    assert study.warnings == ("a single slice: its thickness, 3 mm, is taken as the spacing",)
    assert_lies_right(study)


def test_positions_written_with_few_decimals_are_taken(tmp_path: Path) -> None:
    def rounded(dataset, index):
        dataset.ImagePositionPatient = ["4", "-3", f"{2 + index / 3:.3f}"]

    study = read_study(Series(slices=9, step=(0.0, 0.0, 1 / 3)).write(tmp_path, rounded))

    assert study.volume.geometry.spacing[0] == pytest.approx(1 / 3, abs=1e-3)


def test_oblique_directions_written_with_four_decimals_become_orthonormal(tmp_path: Path) -> None:
    row, column = (0.9848, 0.1736, 0.0), (-0.1736, 0.9848, 0.0)

    study = read_study(SERIES.with_(row=row, column=column).write(tmp_path))

    direction = study.volume.geometry.direction
    assert np.abs(direction.T @ direction - np.eye(3)).max() < 1e-12
    assert np.abs(direction[:, 0] - row).max() < 1e-4
