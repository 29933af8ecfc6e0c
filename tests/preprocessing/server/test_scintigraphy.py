"""Bone scans through the real service, the real Triton and the model that is shipped."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from osteoserve_client.errors import ServiceError
from osteoserve_client.local_service import LocalService
from osteoserve_client.phantom.scintigraphy import PhantomScintigraphy, make_scintigraphy_phantom
from osteoserve_client.scintigram import PlanarView, Scintigram
from osteoserve_client.service import ServiceClient, scintigraphy_options
from osteoserve_preprocessing.geometry import Volume
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

MODEL = "mask_rcnn_scintigraphy"
SHIPPED = Path(__file__).resolve().parents[3] / "model_repository" / MODEL

Counts = npt.NDArray[np.uint16]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceClient]:
    """A service, with a Triton of its own, that serves the detector alone."""
    folder = tmp_path_factory.mktemp("scans")
    (folder / "repository").mkdir()
    (folder / "repository" / MODEL).symlink_to(SHIPPED)
    settings = json.dumps({"repository": str(folder / "repository")})
    command = (sys.executable, str(Path(__file__).with_name("run_service.py")), settings)
    with ExitStack() as stack:
        local = LocalService(log=folder / "service.log", command=command)
        address = stack.enter_context(local).address
        yield stack.enter_context(ServiceClient(address))


@pytest.fixture(scope="module")
def phantom() -> PhantomScintigraphy:
    return make_scintigraphy_phantom(203)


def scan(spacing: tuple[float, float] | None = (2.26, 2.26), **views: Counts) -> Scintigram:
    return Scintigram(
        views=tuple(
            PlanarView(view=view, counts=np.ascontiguousarray(counts))  # type: ignore[arg-type]
            for view, counts in views.items()
        ),
        pixel_spacing_mm=spacing,
        source="image",
    )


def test_every_region_lies_on_the_true_one(
    client: ServiceClient, phantom: PhantomScintigraphy
) -> None:
    labels, regions, report = client.segment_scintigram(scan(**phantom.counts), model=MODEL)
    assert labels.shape == (2, *phantom.counts["anterior"].shape)
    names = {label.value: label.name for label in report.model.labels}
    for found, view in zip(labels, ("anterior", "posterior"), strict=True):
        for value in sorted(set(np.unique(phantom.labels[view])) - {0, 10}):
            here, true = found == value, phantom.labels[view] == value
            dice = 2 * np.sum(here & true) / (here.sum() + true.sum())
            assert dice > 0.8, (view, names[value])
    assert not report.findings
    assert np.count_nonzero(regions) == sum(region.pixels for region in report.regions)
    assert report.preprocessing.total_counts == [
        counts.sum(dtype=np.int64) for counts in phantom.counts.values()
    ]


def test_the_report_measures_what_the_maps_hold(
    client: ServiceClient, phantom: PhantomScintigraphy
) -> None:
    asked = scan(**phantom.counts)
    _, regions, report = client.segment_scintigram(asked, model=MODEL)
    for region in report.regions:
        held = asked.counts[regions == region.number]
        assert region.pixels == held.size
        assert region.square_millimetres == pytest.approx(held.size * 2.26**2)
        assert region.mean_counts == pytest.approx(held.mean())
        assert region.max_counts == held.max()
        mask = unpacked(region.mask, regions.shape[1:])
        view = [pb.VIEW_ANTERIOR, pb.VIEW_POSTERIOR].index(region.view)
        assert not (regions[view] == region.number)[~mask].any()
        left, top, right, bottom = region.box
        rows, columns = np.nonzero(mask)
        # A mask closes up to one of its box's 28 cells outside of it.
        slack = 1 + max(right - left, bottom - top) / 28
        assert top - slack <= rows.min() <= rows.max() <= bottom + slack
        assert left - slack <= columns.min() <= columns.max() <= right + slack


def unpacked(mask: pb.RegionMask, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    whole = np.zeros(shape, np.bool_)
    count = mask.rows * mask.columns
    bits = np.unpackbits(np.frombuffer(mask.bits, np.uint8), count=count).astype(np.bool_)
    rows = slice(mask.first_row, mask.first_row + mask.rows)
    whole[rows, mask.first_column : mask.first_column + mask.columns] = bits.reshape(
        mask.rows, mask.columns
    )
    return whole


@pytest.mark.parametrize("view", ["anterior", "posterior"])
def test_one_view_is_enough(client: ServiceClient, phantom: PhantomScintigraphy, view: str) -> None:
    alone = scan(spacing=None, **{view: phantom.counts[view]})
    labels, _, report = client.segment_scintigram(alone, model=MODEL)
    assert labels.shape[0] == 1
    assert not report.findings
    assert {region.view for region in report.regions} == {
        {"anterior": pb.VIEW_ANTERIOR, "posterior": pb.VIEW_POSTERIOR}[view]
    }
    assert not any(region.HasField("square_millimetres") for region in report.regions)


def test_rows_that_are_empty_change_nothing(
    client: ServiceClient, phantom: PhantomScintigraphy
) -> None:
    counts = phantom.counts["anterior"]
    padded = np.pad(counts, ((0, 65), (0, 0)))
    plain, _, _ = client.segment_scintigram(scan(anterior=counts), model=MODEL)
    moved, _, _ = client.segment_scintigram(scan(anterior=padded), model=MODEL)
    assert np.array_equal(moved[0, :-65], plain[0])
    assert np.count_nonzero(moved) == np.count_nonzero(plain)


def test_a_missing_humerus_is_reported_and_tried_again(
    client: ServiceClient, phantom: PhantomScintigraphy
) -> None:
    counts = phantom.counts["anterior"].copy()
    counts[phantom.labels["anterior"] == 4] = 0
    middle = counts.shape[1] // 2
    counts[120:420, : middle - 60] = 0
    _, _, report = client.segment_scintigram(scan(anterior=counts), model=MODEL)
    (finding,) = report.findings
    assert finding.kind == pb.RegionFinding.KIND_MISSING
    assert (finding.view, finding.side) == (pb.VIEW_ANTERIOR, pb.SIDE_RIGHT)
    said = "with brightness 1 regions were missing (1), with 2.5 ("
    assert any(said in warning for warning in report.warnings)
    _, _, once = client.segment_scintigram(
        scan(anterior=counts), model=MODEL, options=scintigraphy_options(retry_brightness=0)
    )
    assert not any("brightness" in warning for warning in once.warnings)


@pytest.mark.parametrize("turned", ["rotated", "upside down", "noise"])
def test_what_is_no_patient_with_the_head_up_is_refused(
    client: ServiceClient, phantom: PhantomScintigraphy, turned: str
) -> None:
    counts = {
        "rotated": lambda: phantom.counts["anterior"][::-1, ::-1],
        "upside down": lambda: phantom.counts["anterior"][::-1],
        "noise": lambda: np.random.default_rng(1).poisson(4, (1024, 256)).astype(np.uint16),
    }[turned]()
    words = "every patient has are missing" if turned == "noise" else "upside down"
    with pytest.raises(ServiceError, match=words):
        client.segment_scintigram(scan(anterior=counts), model=MODEL)
    confirmed = scintigraphy_options(views_confirmed=True)
    _, _, report = client.segment_scintigram(scan(anterior=counts), model=MODEL, options=confirmed)
    assert any(words in warning for warning in report.warnings)


@pytest.mark.parametrize(
    ("asked", "options", "words"),
    [
        ({"anterior": np.zeros((1024, 256), np.uint16)}, {}, "no counts"),
        ({"anterior": np.full((1024, 300), 9, np.uint16)}, {}, "300 columns wide"),
        ({"anterior": np.ones((5000, 10), np.uint16)}, {}, "up to 4096"),
        ({"anterior": np.ones((50, 10), np.uint16)}, {"brightness": 0.0}, "brightness"),
        ({"anterior": np.ones((50, 10), np.uint16)}, {"retry_brightness": -1.0}, "retry"),
        ({"anterior": np.ones((50, 10), np.uint16)}, {"least_score": 2.0}, "least_score"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    client: ServiceClient, asked: dict[str, Counts], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ServiceError, match=words) as caught:
        client.segment_scintigram(
            scan(**asked), model=MODEL, options=scintigraphy_options(**options)
        )
    assert len(str(caught.value).splitlines()) == 1


def test_a_volume_is_refused_by_name(client: ServiceClient, volume: Volume) -> None:
    with pytest.raises(ServiceError, match="labels no CT volumes"):
        client.segment(volume, model=MODEL)


@pytest.mark.real_data
def test_the_regions_of_a_real_scan(client: ServiceClient, shared_data: Path) -> None:
    import pydicom

    path = shared_data / "scintigraphy_whole_body" / "REF" / "NM1_UNC"
    counts = pydicom.dcmread(path).pixel_array.astype(np.uint16)
    labels, _, report = client.segment_scintigram(scan(anterior=counts), model=MODEL)
    assert not report.findings
    assert len(report.regions) == 8
    column = {value: np.nonzero(labels[0] == value)[1].mean() for value in (2, 4, 5)}
    assert column[4] < column[2] < column[5]
