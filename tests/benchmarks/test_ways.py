"""The ways find the same skeleton, and leave the files that they should."""

from __future__ import annotations

import warnings
from pathlib import Path

import nibabel
import numpy as np
import pytest
from highdicom.seg import segread

from osteoserve_benchmarks.agreement import dice
from osteoserve_benchmarks.files import model_folder
from osteoserve_benchmarks.in_process import InProcess
from osteoserve_benchmarks.plain import Plain, remove_table, window
from osteoserve_benchmarks.tuned import Tuned
from osteoserve_benchmarks.way import LABEL_MAP, SEGMENTATION, Way, total
from osteoserve_client.phantom import make_ct_phantom
from osteoserve_client.reading import read_study
from osteoserve_client.writing.nifti import ras_affine
from osteoserve_preprocessing.core import PreprocessingOptions, preprocess
from osteoserve_preprocessing.core.intensity import grey_table

TABLE_HU = 98


def run(way: Way, study: Path, out: Path) -> dict[str, float]:
    out.mkdir()
    with warnings.catch_warnings():
        # highdicom's, on headers of the source; the script has none of the client's care.
        warnings.simplefilter("ignore")
        return way.run(study, out)


def test_plain_and_tuned_find_the_same(
    study: Path, plain: Plain, tuned: Tuned, tmp_path: Path
) -> None:
    run(plain, study, tmp_path / "plain")
    run(tuned, study, tmp_path / "tuned")
    assert dice(tmp_path / "tuned" / LABEL_MAP, tmp_path / "plain" / LABEL_MAP) >= 0.999


def test_files_hold_one_mask_on_the_source_grid(study: Path, plain: Plain, tmp_path: Path) -> None:
    stages = run(plain, study, tmp_path / "out")
    assert list(stages) == ["read", "table", "window", "network", "write"]
    image = nibabel.load(tmp_path / "out" / LABEL_MAP)
    mask = np.asanyarray(image.dataobj).T
    np.testing.assert_allclose(
        image.affine, ras_affine(read_study(study).volume.geometry), atol=1e-3
    )
    seg = segread(tmp_path / "out" / SEGMENTATION)
    assert int(np.count_nonzero(seg.pixel_array)) == int(np.count_nonzero(mask)) > 0


@pytest.mark.parametrize("region", ["whole_body", "thorax", "head_neck"])
def test_the_script_removes_the_table_and_no_bone(region: str) -> None:
    phantom = make_ct_phantom(slices=6, region=region)
    table = preprocess(phantom.volume, PreprocessingOptions()).stretcher_mask
    bright = table & (phantom.volume.voxels > TABLE_HU)
    assert np.count_nonzero(bright) > 1000
    left = phantom.volume.voxels.copy()
    remove_table(left)
    bone = phantom.labels > 0
    assert np.count_nonzero(left[bone] != phantom.volume.voxels[bone]) <= 1e-3 * bone.sum()
    assert np.count_nonzero(left[bright]) <= 0.01 * np.count_nonzero(bright)


def test_the_script_shows_the_window_as_the_service_does() -> None:
    hounsfield = np.arange(-1024, 3072, dtype=np.int16).reshape(1, 64, 64)
    expected = grey_table(0, 300)[hounsfield.view(np.uint16)]
    # Half a grey value may go either way in float32.
    assert np.abs(window(hounsfield).astype(int) - expected).max() <= 1
    assert np.mean(window(hounsfield) != expected) < 0.02


def test_the_network_is_as_large_as_it_was_measured(plain: Plain) -> None:
    """6.05 GFLOP for 512x512; convolutions grow with the area."""
    assert plain.flops((512, 512)) == pytest.approx(6.05e9, rel=0.01)
    assert plain.flops((256, 512)) * 2 == plain.flops((512, 512))


def test_in_process_nothing_is_read_or_written_in_time(study: Path, tmp_path: Path) -> None:
    way = InProcess(model_folder())
    stages = run(way, study, tmp_path / "out")
    assert list(stages) == ["preprocess", "inference", "measure"]
    assert total(stages) == pytest.approx(sum(stages.values()))
    assert not list((tmp_path / "out").iterdir())
    ((rows, columns), slices), *others = way.asked(study).items()
    assert slices == 6
    assert not others, "six slices are one section"
    assert rows % 16 == columns % 16 == 0
    assert max(rows, columns) <= 512


def test_stages_inside_others_are_not_counted_twice() -> None:
    assert total({"read": 1.0, "service": 2.0, "service.inference": 1.5}) == 3.0


def test_agreement_is_of_places_not_of_storage(tmp_path: Path) -> None:
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[1:3, 2:4, 0:5] = 1
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    turned = affine @ np.diag([-1.0, 1.0, 1.0, 1.0])
    turned[0, 3] = 2.0 * 3
    half = labels.copy()
    half[2] = 0
    for name, array, matrix in (
        ("a", labels, affine),
        ("turned", labels[::-1], turned),
        ("half", half, affine),
        ("moved", labels, np.diag([2.0, 3.0, 5.0, 1.0])),
    ):
        (tmp_path / name).mkdir()
        nibabel.save(nibabel.Nifti1Image(array, matrix), tmp_path / name / LABEL_MAP)
    first = tmp_path / "a" / LABEL_MAP
    assert dice(tmp_path / "turned" / LABEL_MAP, first) == 1.0
    assert dice(tmp_path / "half" / LABEL_MAP, first) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="different grids"):
        dice(tmp_path / "moved" / LABEL_MAP, first)
