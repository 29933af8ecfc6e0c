"""What becomes a job, and what it is called."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import pydicom
import pytest

from osteoserve_client.batch.discretion import without_names
from osteoserve_client.batch.search import Found, find_inputs
from osteoserve_client.errors import DuplicateSliceError, InputError, InputNotFoundError
from osteoserve_client.phantom import (
    PhantomCT,
    make_ct_phantom,
    write_ct_nifti,
    write_dicom_study,
)
from osteoserve_client.phantom.scintigraphy import (
    make_scintigraphy_phantom,
    write_scintigraphy_study,
)
from osteoserve_client.reading import read_scintigram, read_study
from osteoserve_client.reading.files import unreported


@cache
def drawn(seed: int) -> PhantomCT:
    return make_ct_phantom(slices=3, seed=seed, rows=64, columns=64, pixel_spacing_mm=8.0)


def ct(folder: Path, seed: int = 0) -> Path:
    write_dicom_study(drawn(seed), folder)
    return folder


def found(*given: Path, out: Path = Path("no-such-folder")) -> Found:
    return find_inputs(given, out=out, on_progress=unreported)


def edit(folder: Path, **values: object) -> None:
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        dataset.save_as(path)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Two studies."""
    for seed in range(2):
        ct(tmp_path / "in" / str(seed), seed)
    return tmp_path / "in"


def test_a_key_does_not_depend_on_where_the_files_lie_or_how_they_are_given(
    two: Path, tmp_path: Path
) -> None:
    whole = found(two)
    assert len(whole.inputs) == 2
    flat = tmp_path / "flat"
    flat.mkdir()
    for number, path in enumerate(sorted(two.rglob("*.dcm"), reverse=True)):
        shutil.copy(path, flat / f"{number}.dcm")
    for given in ([flat], list(flat.iterdir()), [two / "0", two, two / "1"]):
        assert set(found(*given).inputs) == set(whole.inputs)


def test_every_series_of_a_folder_is_read_by_itself(two: Path, tmp_path: Path) -> None:
    for path in list((two / "1").iterdir()):
        path.rename(two / "0" / f"second_{path.name}")
    alone = {}
    for one in found(two).inputs.values():
        alone[one.key] = read_study(one.opened()).volume.voxels
        assert len(one.files) == 3
    first, second = alone.values()
    assert (first != second).any()


def test_series_without_a_uid_are_told_apart_by_their_folders(two: Path) -> None:
    for folder in two.iterdir():
        edit(folder, SeriesInstanceUID="")
    assert len(found(two).inputs) == 2


def test_a_series_that_lies_there_twice_is_read_once(two: Path) -> None:
    before = found(two)
    shutil.copytree(two / "0", two / "backup" / "0")
    shutil.copy(min((two / "1").iterdir()), two / "1" / "again.dcm")
    after = found(two)
    assert (before.copied_images, after.copied_images) == (0, 4)
    assert after.inputs == before.inputs
    for one in after.inputs.values():
        assert read_study(one.opened()).volume.voxels.shape[0] == 3


def test_an_input_that_holds_copies_alone_is_none_in_which_nothing_is_found(two: Path) -> None:
    shutil.copytree(two / "0", two / "copy")
    assert len(found(two / "0", two / "copy").inputs) == 1


def test_files_that_claim_one_image_and_differ_are_refused(two: Path) -> None:
    shutil.copytree(two / "0", two / "backup")
    edit(two / "backup", RescaleIntercept=-1000)
    for one in found(two).inputs.values():
        if len(one.files) == 6:
            with pytest.raises(DuplicateSliceError):
                read_study(one.opened())
            break
    else:
        pytest.fail("the two were taken for one")


def test_localizers_and_other_modalities_are_counted_and_passed_over(two: Path) -> None:
    edit(two / "0", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    edit(two / "1", Modality="MR", SOPClassUID=pydicom.uid.MRImageStorage)
    ct(two / "2", 2)
    result = found(two)
    assert result.passed_over == {"localizer": 1, "MR": 1}
    assert len(result.inputs) == 1


def test_an_input_in_which_nothing_is_found_is_refused_when_its_turn_comes(two: Path) -> None:
    edit(two / "0", Modality="MR", SOPClassUID=pydicom.uid.MRImageStorage)
    empty = two / "empty"
    empty.mkdir()
    result = found(two / "0", two / "1", empty)
    none = [one for one in result.inputs.values() if one.modality is None]
    assert {one.root for one in none} == {two / "0", empty}
    for one in none:
        with pytest.raises(InputError):
            read_study(one.opened())


def test_a_damaged_file_is_laid_to_the_series_in_whose_folder_it_lies(two: Path) -> None:
    (two / "0" / "torn.dcm").write_bytes(b"torn")
    inputs = found(two).inputs.values()
    torn, sound = sorted(inputs, key=lambda one: one.root)
    with pytest.raises(InputError, match=r"torn\.dcm"):
        read_study(torn.opened())
    assert read_study(sound.opened()).volume.voxels.shape[0] == 3


def test_two_series_with_a_view_each_are_one_bone_scan(tmp_path: Path) -> None:
    phantom = make_scintigraphy_phantom(3)
    for number, view in enumerate(("anterior", "posterior")):
        write_scintigraphy_study(phantom, tmp_path / view, views=[view])
        edit(
            tmp_path / view,
            StudyInstanceUID="1.2.3",
            SeriesInstanceUID=f"1.2.3.{number}",
            SOPInstanceUID=f"1.2.3.{number}.1",
        )
    (one,) = found(tmp_path).inputs.values()
    assert one.modality == "NM"
    assert [view.view for view in read_scintigram(one.opened()).views] == ["anterior", "posterior"]


def test_copies_of_a_volume_are_one_job_and_pictures_in_folders_none(tmp_path: Path) -> None:
    write_ct_nifti(drawn(0), tmp_path / "ct.nii.gz")
    shutil.copy(tmp_path / "ct.nii.gz", tmp_path / "copy.nii.gz")
    (tmp_path / "picture.png").write_bytes(b"picture")
    result = found(tmp_path)
    assert [one.modality for one in result.inputs.values()] == ["CT"]
    assert result.copies == 1
    named = found(tmp_path / "picture.png").inputs.values()
    assert [one.modality for one in named] == ["NM"]


def test_the_folder_of_the_batch_is_not_searched(two: Path) -> None:
    assert len(found(two, out=two / "1").inputs) == 1


def test_a_path_that_leads_nowhere_is_refused(two: Path) -> None:
    with pytest.raises(InputNotFoundError):
        found(two, two / "nowhere")


def test_a_changed_input_has_another_fingerprint_and_the_same_key(two: Path) -> None:
    before = found(two).inputs
    next((two / "0").iterdir()).unlink()
    after = found(two).inputs
    assert set(after) == set(before)
    changed = [key for key in before if before[key].fingerprint != after[key].fingerprint]
    assert [after[key].root for key in changed] == [two / "0"]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("DOE/a.dcm: is damaged", "file 1: is damaged"),
        ("DOE/a.dcm.dcm and DOE/a.dcm, (1.0, 2.0)", "file 2 and file 1, (1.0, 2.0)"),
        ("there is no DICOM image in DOE^JOHN", "there is no DICOM image in the input"),
    ],
)
def test_messages_name_files_by_their_number(message: str, expected: str) -> None:
    root = Path("archive/DOE^JOHN")
    files = [root / "DOE" / "a.dcm", root / "DOE" / "a.dcm.dcm"]
    assert without_names(message, root, files) == expected
