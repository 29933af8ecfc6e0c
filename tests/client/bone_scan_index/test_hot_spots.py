"""Hot spots from every form of mask, on every way in which a scan is stored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from PIL import Image

from osteoserve_client.bone_scan_index import HotSpots, read_hot_spots
from osteoserve_client.errors import (
    HotSpotsError,
    InputNotFoundError,
    OsteoserveError,
    UnreadableFileError,
    UsageError,
)
from osteoserve_client.scintigram import Scintigram
from osteoserve_client.writing.scintigraphy.nm_source import nm_source
from osteoserve_client.writing.scintigraphy.regions_object import write_regions_object
from tests.client.writing.scintigraphy.conftest import STORAGES, Case, make_case, make_model

Mask = npt.NDArray[np.bool_]


@pytest.fixture(params=STORAGES)
def case(request: pytest.FixtureRequest) -> Case:
    return make_case(request.param)


def drawn(scan: Scintigram) -> dict[str, Mask]:
    """Hot spots that no flip maps onto themselves."""
    rng = np.random.default_rng(11)
    return {view.view: rng.random(view.counts.shape) < 0.2 for view in scan.views}


def as_stored(scan: Scintigram, hot: Mapping[str, Mask]) -> list[tuple[tuple[int, int], Mask]]:
    """Whole stored frames that show a view, in their order."""
    planes: dict[tuple[int, int], Mask] = {}
    for view in scan.views:
        place = (view.file, view.frame)
        plane = planes.setdefault(place, np.zeros(scan.stored_shapes[view.file], bool))
        mask = hot[view.view]
        mask = np.flipud(mask) if view.rows_reversed else mask
        mask = np.fliplr(mask) if view.columns_reversed else mask
        plane[:, view.first_column : view.first_column + mask.shape[1]] = mask
    return sorted(planes.items(), key=lambda item: item[0])


def write_png(path: Path, mask: npt.NDArray[np.generic], *, value: int = 255) -> Path:
    Image.fromarray((np.asarray(mask) != 0).astype(np.uint8) * np.uint8(value)).save(path)
    return path


def write_nifti(path: Path, planes: list[Mask]) -> Path:
    volume = np.stack(planes).astype(np.uint8).transpose(2, 1, 0)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), path)
    return path


def write_seg(path: Path, scan: Scintigram, hot: Mapping[str, Mask], *, label: int = 1) -> Path:
    labels = np.stack([hot[view.view] for view in scan.views]).astype(np.uint8) * np.uint8(label)
    write_regions_object(path, scan, nm_source(scan), labels, make_model())
    return path


def same(found: HotSpots, hot: Mapping[str, Mask]) -> bool:
    return found.masks.keys() == hot.keys() and all(
        np.array_equal(found.masks[view], mask)  # type: ignore[index]
        for view, mask in hot.items()
    )


def test_every_form_of_one_mask_says_the_same(case: Case, tmp_path: Path) -> None:
    scan, hot = case.scan, drawn(case.scan)
    planes = [plane for _, plane in as_stored(scan, hot)]
    seg = write_seg(tmp_path / "hot.dcm", scan, hot)
    assert same(read_hot_spots([str(seg)], scan), hot)
    nifti = write_nifti(tmp_path / "hot.nii.gz", planes)
    assert same(read_hot_spots([str(nifti)], scan), hot)
    pngs = []
    for view in scan.views:
        plane = dict(as_stored(scan, hot))[view.file, view.frame]
        own = plane[:, view.first_column :][:, : view.counts.shape[1]]
        path = write_png(tmp_path / f"{view.view}.png", own, value=1)
        pngs.append(f"{view.view}={path}")
    assert same(read_hot_spots(pngs, scan), hot)
    if len(planes) == 1:
        whole = write_png(tmp_path / "frame.png", planes[0])
        assert same(read_hot_spots([str(whole)], scan), hot)


def test_the_first_axis_of_a_nifti_runs_along_columns(tmp_path: Path) -> None:
    scan = make_case("one file").scan
    rows, columns = scan.views[0].counts.shape
    volume = np.zeros((columns, rows, 2), np.float32)
    volume[3, 7, 1] = 0.5
    path = tmp_path / "hot.nii"
    nibabel.save(nibabel.Nifti1Image(volume, np.diag([-1, -1, 1, 1])), path)
    masks = read_hot_spots([str(path)], scan).masks
    assert not masks["anterior"].any()
    assert np.argwhere(masks["posterior"]).tolist() == [[7, 3]]


def test_a_nifti_of_one_slice_may_have_two_axes(tmp_path: Path) -> None:
    scan = make_case("anterior alone").scan
    hot = drawn(scan)["anterior"]
    path = tmp_path / "hot.nii.gz"
    nibabel.save(nibabel.Nifti1Image(hot.T.astype(np.int16), np.eye(4)), path)
    assert same(read_hot_spots([str(path)], scan), {"anterior": hot})


def test_segments_are_united_or_chosen(tmp_path: Path) -> None:
    scan = make_case("one file").scan
    first = drawn(scan)
    labels = {v: np.where(m, 1, 0) for v, m in first.items()}
    labels["anterior"][0, :] = 2
    stacked = np.stack([labels[view.view] for view in scan.views]).astype(np.uint8)
    path = tmp_path / "two.dcm"
    write_regions_object(path, scan, nm_source(scan), stacked, make_model())
    for segments, values in (((), (1, 2)), ((2,), (2,)), ((1, 2), (1, 2)), ((1,), (1,))):
        found = read_hot_spots([str(path)], scan, segments=segments)
        assert same(found, {view: np.isin(own, values) for view, own in labels.items()})
    assert found.files[0].segments == (1,)
    with pytest.raises(HotSpotsError, match="no segment 99"):
        read_hot_spots([str(path)], scan, segments=[99])


def test_frames_that_a_segmentation_leaves_out_hold_nothing_hot(tmp_path: Path) -> None:
    scan = make_case("two files").scan
    hot = drawn(scan)
    hot["posterior"][:] = False
    path = write_seg(tmp_path / "hot.dcm", scan, hot)
    assert int(pydicom.dcmread(path).NumberOfFrames) == 1
    assert same(read_hot_spots([str(path)], scan), hot)


def test_several_masks_are_united(tmp_path: Path) -> None:
    scan = make_case("one file").scan
    hot = drawn(scan)
    more = {view: np.roll(mask, 2, axis=0) for view, mask in hot.items()}
    paths = [
        write_nifti(tmp_path / f"{n}.nii", list(m.values())) for n, m in enumerate((hot, more))
    ]
    found = read_hot_spots([str(path) for path in paths], scan)
    assert same(found, {view: hot[view] | more[view] for view in hot})
    assert len({file.sha256 for file in found.files}) == 2


def test_one_view_alone_covers_that_view(tmp_path: Path) -> None:
    scan = make_case("one file").scan
    path = write_png(tmp_path / "p.png", drawn(scan)["posterior"])
    found = read_hot_spots([f"posterior={path}"], scan)
    assert list(found.masks) == ["posterior"]
    assert found.files[0].views == ("posterior",)


def test_nothing_hot_is_an_answer(tmp_path: Path) -> None:
    scan = make_case("anterior alone").scan
    path = write_png(tmp_path / "cold.png", np.zeros(scan.views[0].counts.shape))
    assert not read_hot_spots([str(path)], scan).masks["anterior"].any()


def test_a_palette_that_begins_with_black_is_a_label_map(tmp_path: Path) -> None:
    scan = make_case("anterior alone").scan
    hot = drawn(scan)["anterior"]
    for first, fits in ((0, True), (255, False)):
        image = Image.fromarray(hot.astype(np.uint8))
        image.putpalette([first] * 3 + [200, 0, 0] * 255)
        image.save(tmp_path / "palette.png")
        if fits:
            found = read_hot_spots([str(tmp_path / "palette.png")], scan)
            assert same(found, {"anterior": hot})
        else:
            with pytest.raises(HotSpotsError, match="in colour"):
                read_hot_spots([str(tmp_path / "palette.png")], scan)


def refused(
    given: list[str], scan: Scintigram, error: type[OsteoserveError], words: str, code: int
) -> None:
    with pytest.raises(error, match=words) as caught:
        read_hot_spots(given, scan)
    assert type(caught.value) is error
    assert caught.value.exit_code == code
    assert len(str(caught.value).splitlines()) == 1


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    scan = make_case("one file").scan
    shape = scan.views[0].counts.shape
    fits, turned = np.ones(shape, bool), np.ones(shape[::-1], bool)
    png, small = write_png(tmp_path / "a.png", fits), write_png(tmp_path / "b.png", fits[1:])
    sideways = write_png(tmp_path / "c.png", turned)
    colour = tmp_path / "d.png"
    Image.fromarray(np.zeros((*shape, 3), np.uint8)).save(colour)
    three = write_nifti(tmp_path / "e.nii", [fits] * 3)
    wide = write_nifti(tmp_path / "f.nii", [turned] * 2)
    holes = tmp_path / "g.nii"
    volume = np.zeros((*shape[::-1], 2), np.float32)
    volume[0, 0, 0] = np.nan
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), holes)
    (tmp_path / "h.png").write_bytes(b"\x89PNG nothing")
    (tmp_path / "i.nii").write_bytes(b"nothing")
    (tmp_path / "j.dcm").write_bytes(b"nothing")
    refused([], scan, UsageError, "a segmentation alone is no Bone Scan Index", 2)
    refused([str(png)], scan, UsageError, "--hotspots anterior=FILE", 2)
    refused([str(tmp_path / "none.png")], scan, InputNotFoundError, "no file none.png", 2)
    refused([f"anterior={small}"], scan, HotSpotsError, "18 rows and 9 columns", 3)
    refused([f"anterior={sideways}"], scan, HotSpotsError, "9 rows and 19 columns", 3)
    refused([f"anterior={colour}"], scan, HotSpotsError, "in colour", 3)
    refused([str(three)], scan, HotSpotsError, "has 3 slices where 2 would fit", 3)
    refused([str(wide)], scan, HotSpotsError, "9 rows and 19 columns", 3)
    refused([str(holes)], scan, HotSpotsError, "NaN", 3)
    for name in "hij":
        (path,) = tmp_path.glob(f"{name}.*")
        given = f"anterior={path}" if name != "j" else str(path)
        refused([given], scan, UnreadableFileError, path.name, 3)
    alone = make_case("anterior alone").scan
    refused([f"posterior={png}"], alone, UsageError, "no posterior view", 2)


def test_a_segmentation_of_another_image_is_refused(tmp_path: Path) -> None:
    scan, other = make_case("one file").scan, make_case("one file").scan
    other.datasets[0].SOPInstanceUID = "1.2.826.0.1.3680043.8.498.9"
    path = write_seg(tmp_path / "hot.dcm", other, drawn(other))
    refused([str(path)], scan, HotSpotsError, "another image", 3)
    refused([f"anterior={path}"], other, UsageError, "says itself", 2)
    image = make_case("one file", source="image").scan
    refused([str(path)], image, HotSpotsError, "belongs to DICOM images", 3)


def test_a_segmentation_of_a_frame_that_shows_no_view_is_refused(tmp_path: Path) -> None:
    scan = make_case("second of three frames").scan
    path = write_seg(tmp_path / "hot.dcm", scan, drawn(scan))
    seg = pydicom.dcmread(path)
    for groups in seg.PerFrameFunctionalGroupsSequence:
        groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber = 1
    seg.save_as(path)
    refused([str(path)], scan, HotSpotsError, "frame 1, which shows no view", 3)
    for groups in seg.PerFrameFunctionalGroupsSequence:
        del groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
    seg.save_as(path)
    refused([str(path)], scan, HotSpotsError, "does not say which frame", 3)


def test_a_segmentation_without_references_is_refused(tmp_path: Path) -> None:
    scan = make_case("anterior alone").scan
    path = write_seg(tmp_path / "hot.dcm", scan, drawn(scan))
    seg = pydicom.dcmread(path)
    for groups in seg.PerFrameFunctionalGroupsSequence:
        del groups.DerivationImageSequence
    seg.save_as(path)
    refused([str(path)], scan, HotSpotsError, "to which image", 3)
