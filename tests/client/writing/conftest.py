"""Studies in every orientation, with what a careless writer would let slip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations, product

import nibabel
import numpy as np
import numpy.typing as npt
import pytest
from pydicom import Dataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage

from osteoserve_client.study import Study
from osteoserve_preprocessing.geometry import Geometry, Volume
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

Labels = npt.NDArray[np.uint8]

#: What no output but the segmentation object's patient and study modules may hold.
SECRETS = ("Geheim^Person", "PID-4711", "19500102", "ACC-99", "19991231")


def signed_permutations() -> list[npt.NDArray[np.float64]]:
    """The 48 matrices whose columns are the patient's axes in any order and sense."""
    matrices = []
    for order, signs in product(permutations(range(3)), product((1.0, -1.0), repeat=3)):
        matrix = np.zeros((3, 3))
        matrix[order, range(3)] = signs
        matrices.append(matrix)
    return matrices


ORIENTATIONS = signed_permutations()

#: Those that DICOM expresses: slices are ordered along cross(row direction, column direction).
RIGHT_HANDED = [matrix for matrix in ORIENTATIONS if np.linalg.det(matrix) > 0]


@dataclass(frozen=True)
class Factory:
    """Makes small studies of the same voxels and labels, whatever the source and orientation."""

    shape: tuple[int, int, int] = (5, 6, 7)

    def geometry(
        self,
        direction: npt.NDArray[np.float64] | None = None,
        spacing: tuple[float, float, float] = (2.5, 0.75, 0.5),
    ) -> Geometry:
        return Geometry(
            self.shape,
            spacing,
            (-12.5, 30.25, -700.0),
            np.eye(3) if direction is None else direction,
        )

    def voxels(self) -> npt.NDArray[np.int16]:
        return np.random.default_rng(1).integers(-200, 900, self.shape).astype(np.int16)

    def labels(self, *values: int) -> Labels:
        """Labels that no flip or permutation maps onto themselves; the first slice is empty."""
        choices = np.array([0, 0, 0, *values], dtype=np.uint8)
        labels = np.random.default_rng(2).choice(choices, self.shape)
        labels[0] = 0
        return labels

    def dicom(
        self, direction: npt.NDArray[np.float64] | None = None, **attributes: object
    ) -> Study:
        volume = Volume(self.voxels(), self.geometry(direction))
        datasets = tuple(self._slice(volume.geometry, k) for k in range(self.shape[0]))
        for dataset in datasets:
            dataset.update({})
            for keyword, value in attributes.items():
                if value is None:
                    delattr(dataset, keyword)
                else:
                    setattr(dataset, keyword, value)
        return Study(volume=volume, source="dicom", datasets=datasets)

    def enhanced(self, frames: Sequence[int]) -> Study:
        """A multi-frame source whose frame ``frames[k]`` (from 1) is slice k."""
        volume = Volume(self.voxels(), self.geometry())
        dataset = self._slice(volume.geometry, 0)
        dataset.SOPClassUID = EnhancedCTImageStorage
        dataset.NumberOfFrames = len(frames)
        shared, orientation, measures = Dataset(), Dataset(), Dataset()
        orientation.ImageOrientationPatient = dataset.ImageOrientationPatient
        measures.PixelSpacing, measures.SliceThickness = dataset.PixelSpacing, "2.5"
        shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
        groups: list[Dataset] = [Dataset() for _ in frames]
        for k, frame in enumerate(frames):
            position = Dataset()
            position.ImagePositionPatient = position_of(volume.geometry, k)
            groups[frame - 1].PlanePositionSequence = [position]
        dataset.SharedFunctionalGroupsSequence = [shared]
        dataset.PerFrameFunctionalGroupsSequence = groups
        return Study(volume=volume, source="dicom", datasets=(dataset,), frames=tuple(frames))

    def nifti(self, header: nibabel.Nifti1Header | None = None) -> Study:
        volume = Volume(self.voxels(), self.geometry())
        return Study(volume=volume, source="nifti", image=header)

    def _slice(self, geometry: Geometry, k: int) -> Dataset:
        dataset = Dataset()
        dataset.SpecificCharacterSet = "ISO_IR 100"
        dataset.SOPClassUID = CTImageStorage
        dataset.SOPInstanceUID = f"1.2.826.0.1.3680043.8.498.1.{k + 1}"
        dataset.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.2"
        dataset.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.3"
        dataset.FrameOfReferenceUID = "1.2.826.0.1.3680043.8.498.4"
        dataset.Modality = "CT"
        dataset.SeriesNumber = 7
        dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = SECRETS[:3]
        dataset.AccessionNumber, dataset.StudyDate = SECRETS[3:]
        dataset.PatientSex, dataset.StudyTime, dataset.StudyID = "F", "101112", "1"
        dataset.ReferringPhysicianName = "Geheim^Arzt"
        dataset.Manufacturer = "Scanner Works"
        dataset.Rows, dataset.Columns = geometry.shape[1:]
        dataset.PixelSpacing = list(geometry.spacing[1:])
        dataset.SliceThickness = "3.0"
        dataset.ImageOrientationPatient = list(geometry.direction[:, :2].T.ravel())
        dataset.ImagePositionPatient = position_of(geometry, k)
        return dataset


def position_of(geometry: Geometry, k: int) -> list[float]:
    return list((geometry.affine @ (0, 0, k, 1))[:3])


def make_report(
    study: Study, labels: Labels, names: dict[int, str] | None = None
) -> pb.SegmentReport:
    """What the service would report on these labels."""
    report = pb.SegmentReport(service_version="0.1.0", input_sha256=bytes(range(32)))
    report.model.name, report.model.version, report.model.precision = "unet_skeleton", "3", "fp32"
    report.model.modality, report.model.digest = pb.MODALITY_CT, "0f" * 32
    report.preprocessing.stretcher.method = pb.STRETCHER_METHOD_BODY
    report.preprocessing.stretcher.removed_voxels = 12
    report.preprocessing.normalisation = pb.NORMALISATION_INTERPATIENT
    report.preprocessing.window_hu.extend((0, 300))
    report.preprocessing.clip_end = labels.shape[0]
    report.stages.add(stage="inference", seconds=0.5)
    for value, name in (names or {1: "Skeleton"}).items():
        label = report.model.labels.add(value=value, name=name)
        label.category.CopyFrom(
            pb.Code(value="123037004", scheme="SCT", meaning="Anatomical Structure")
        )
        label.type.CopyFrom(pb.Code(value="272673000", scheme="SCT", meaning="Bone"))
        chosen = labels == value
        count = int(chosen.sum())
        measure = report.labels.add(value=value, name=name, voxels=count)
        measure.millilitres = count * study.volume.geometry.voxel_volume_ml
        if count:
            slices = np.flatnonzero(chosen.any(axis=(1, 2)))
            measure.first_slice, measure.last_slice = int(slices[0]), int(slices[-1])
            measure.mean_hu = float(study.volume.voxels[chosen].mean())
            measure.sd_hu = float(study.volume.voxels[chosen].std())
    return report


@pytest.fixture
def factory() -> Factory:
    return Factory()


@pytest.fixture
def report_of() -> Callable[..., pb.SegmentReport]:
    return make_report


@pytest.fixture
def secrets() -> tuple[str, ...]:
    return SECRETS


@pytest.fixture(params=range(48), ids=lambda n: f"orientation{n}")
def orientation(request: pytest.FixtureRequest) -> npt.NDArray[np.float64]:
    return ORIENTATIONS[request.param]


@pytest.fixture(params=range(24), ids=lambda n: f"orientation{n}")
def dicom_orientation(request: pytest.FixtureRequest) -> npt.NDArray[np.float64]:
    return RIGHT_HANDED[request.param]
