"""Bone scans in every way of storage, and phantoms, with what the service would say of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pydicom import Dataset
from pydicom.uid import NuclearMedicineImageStorage

from osteoserve_client.phantom.scintigraphy import (
    REGIONS,
    PhantomScintigraphy,
    make_scintigraphy_phantom,
    write_scintigraphy_study,
)
from osteoserve_client.reading import read_scintigram
from osteoserve_client.scintigram import VIEWS, PlanarView, Scintigram
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

Pixels = npt.NDArray[np.uint8]

#: What no output but the segmentation object's patient and study modules may hold.
SECRETS = ("Geheim^Person", "PID-4711", "19500102", "ACC-99", "19991231")

VIEW_VALUES = {"anterior": pb.VIEW_ANTERIOR, "posterior": pb.VIEW_POSTERIOR}
SIDE_VALUES = {"": pb.SIDE_UNSPECIFIED, "left": pb.SIDE_LEFT, "right": pb.SIDE_RIGHT}
CODES = {
    "skull": ("89546000", "Skull"),
    "femurs": ("71341001", "Femur"),
    "humerus": ("85050009", "Humerus"),
}


@dataclass(frozen=True)
class Place:
    """Where a file holds a view, and how it lies there."""

    view: str
    file: int = 0
    frame: int = 1
    first_column: int = 0
    rows_reversed: bool = False
    columns_reversed: bool = False


STORAGES = {
    "one file": (Place("anterior"), Place("posterior", frame=2)),
    "posterior first": (Place("anterior", frame=2), Place("posterior")),
    "two files": (Place("anterior"), Place("posterior", file=1)),
    "files the other way round": (Place("anterior", file=1), Place("posterior")),
    "anterior alone": (Place("anterior"),),
    "posterior alone": (Place("posterior"),),
    "second of three frames": (Place("anterior", frame=2), Place("posterior", frame=3)),
    "feet up": (Place("anterior", rows_reversed=True), Place("posterior", frame=2)),
    "mirrored": (Place("anterior"), Place("posterior", frame=2, columns_reversed=True)),
    "turned by 180 degrees": (
        Place("anterior", rows_reversed=True, columns_reversed=True),
        Place("posterior", file=1, rows_reversed=True, columns_reversed=True),
    ),
    "side by side": (Place("anterior"), Place("posterior", first_column=12)),
    "side by side, posterior first, turned": (
        Place("anterior", first_column=12, rows_reversed=True, columns_reversed=True),
        Place("posterior", rows_reversed=True, columns_reversed=True),
    ),
}


@dataclass(frozen=True, eq=False)
class Case:
    """A scan, and what its files hold.

    Args:
        scan: As reading would hand it on.
        stored: For each file (frames, rows, columns) uint16.
        labels: (V, Y, X) uint8: counts modulo 11, so that each pixel tells its label.
        regions: (V, Y, X) uint8, one region for each label of a view.
    """

    scan: Scintigram
    stored: tuple[npt.NDArray[np.uint16], ...]
    labels: Pixels
    regions: Pixels

    @property
    def report(self) -> pb.ScintigramReport:
        return make_report(self.scan, self.labels, self.regions)


def make_case(storage: str, *, shape: tuple[int, int] = (19, 9), source: str = "dicom") -> Case:
    """Counts that no flip maps onto themselves, stored in that way."""
    places = STORAGES[storage]
    rng = np.random.default_rng(5)
    counts = {p.view: rng.integers(0, 200, shape).astype(np.uint16) for p in places}
    # Columns between two views, and frames that show none, hold no counts.
    width = shape[1] + max(p.first_column for p in places)
    files = 1 + max(p.file for p in places)
    stored = tuple(
        np.zeros((max(p.frame for p in places if p.file == n), shape[0], width), np.uint16)
        for n in range(files)
    )
    for p in places:
        pixels = counts[p.view]
        pixels = np.flipud(pixels) if p.rows_reversed else pixels
        pixels = np.fliplr(pixels) if p.columns_reversed else pixels
        stored[p.file][p.frame - 1, :, p.first_column : p.first_column + shape[1]] = pixels
    scan = Scintigram(
        views=tuple(
            PlanarView(
                view=p.view, counts=counts[p.view], file=p.file, frame=p.frame,
                first_column=p.first_column, rows_reversed=p.rows_reversed,
                columns_reversed=p.columns_reversed,
            )
            for p in places
        ),
        pixel_spacing_mm=(2.5, 2.25),
        source=source,
        datasets=tuple(header(n, frames) for n, frames in enumerate(stored))
        if source == "dicom"
        else (),
        stored_shapes=tuple(frames.shape[1:] for frames in stored),
    )  # fmt: skip
    labels = (scan.counts % 11).astype(np.uint8)
    offsets = 10 * np.arange(len(places), dtype=np.uint8)[:, None, None]
    return Case(scan, stored, labels, np.where(labels > 0, labels + offsets, 0).astype(np.uint8))


def header(number: int, frames: npt.NDArray[np.uint16]) -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID = NuclearMedicineImageStorage
    dataset.SOPInstanceUID = f"1.2.826.0.1.3680043.8.498.1.{number + 1}"
    dataset.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.2"
    dataset.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.3"
    dataset.FrameOfReferenceUID = "1.2.826.0.1.3680043.8.498.4"
    dataset.Modality = "NM"
    dataset.SeriesNumber = 7
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = SECRETS[:3]
    dataset.AccessionNumber, dataset.StudyDate = SECRETS[3:]
    dataset.PatientSex, dataset.StudyTime, dataset.StudyID = "F", "101112", "1"
    dataset.ReferringPhysicianName = "Geheim^Arzt"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = frames.shape
    dataset.PixelSpacing = [2.5, 2.25]
    return dataset


def make_model() -> pb.Model:
    model = pb.Model(name="mask_rcnn_scintigraphy", version="2", precision="fp32")
    model.modality, model.digest = pb.MODALITY_NM, "0f" * 32
    for value, name in enumerate(REGIONS, start=1):
        label = model.labels.add(value=value, name=name)
        label.category.CopyFrom(
            pb.Code(value="123037004", scheme="SCT", meaning="Anatomical Structure")
        )
        code, meaning = CODES.get(name.split("_")[-1], (name.upper()[:16], name))
        scheme = "SCT" if code.isdigit() else "99OSTEOSERVE"
        label.type.CopyFrom(pb.Code(value=code, scheme=scheme, meaning=meaning))
    return model


def make_report(
    scan: Scintigram,
    labels: Pixels,
    regions: Pixels,
    *,
    sides: dict[int, str] | None = None,
    white_counts: float = 60.0,
) -> pb.ScintigramReport:
    """What the service would report on these regions."""
    report = pb.ScintigramReport(
        model=make_model(), service_version="0.1.0", input_sha256=bytes(range(32))
    )
    did = report.preprocessing
    did.brightness, did.white_counts = 1.0, white_counts
    did.end_row, did.end_column = scan.views[0].counts.shape
    did.total_counts.extend(int(view.counts.sum()) for view in scan.views)
    report.stages.add(stage="inference", seconds=0.5)
    for number in np.unique(regions[regions > 0]).tolist():
        index, *_ = np.argwhere(regions == number)[0]
        mask = regions[index] == number
        view, held = scan.views[index], scan.views[index].counts[mask]
        rows, columns = np.nonzero(mask)
        region = report.regions.add(
            number=number, label=int(labels[index][mask][0]), view=VIEW_VALUES[view.view],
            side=SIDE_VALUES[(sides or {}).get(number, "")], score=1 - number / 100,
            box=[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1],
            pixels=held.size, mean_counts=held.mean(), max_counts=held.max(),
        )  # fmt: skip
        if scan.pixel_spacing_mm is not None:
            region.square_millimetres = held.size * float(np.prod(scan.pixel_spacing_mm))
    return report


def phantom_case(phantom: PhantomScintigraphy, folder: Path) -> tuple[Case, dict[int, str]]:
    """The phantom's true regions, each as far as the label map gives it pixels; and their sides."""
    write_scintigraphy_study(phantom, folder)
    scan = read_scintigram(folder)
    labels = np.stack([phantom.labels[view] for view in VIEWS])
    regions = np.zeros_like(labels)
    sides = {}
    for number, region in enumerate(phantom.regions, start=1):
        regions[VIEWS.index(region.view)][phantom.visible(region)] = number
        sides[number] = region.side
    stored = (np.stack([phantom.counts[view] for view in VIEWS]),)
    return Case(scan, stored, labels, regions), sides


@pytest.fixture(scope="package")
def phantom() -> PhantomScintigraphy:
    return make_scintigraphy_phantom(0)


@pytest.fixture(scope="package")
def of_phantom(phantom, tmp_path_factory) -> tuple[Case, pb.ScintigramReport]:
    case, sides = phantom_case(phantom, tmp_path_factory.mktemp("phantom") / "study")
    return case, make_report(case.scan, case.labels, case.regions, sides=sides, white_counts=30.0)


@pytest.fixture(params=STORAGES)
def case(request: pytest.FixtureRequest) -> Case:
    return make_case(request.param)
