"""The frames of an NM file, each with what its detector's item says of it.

PS3.3 C.8.4.8.1.1: in a whole-body image frames go by energy window and detector. Frame Increment
Pointer (0028,0009) names these vectors; Detector Vector (0054,0020) then says, for each frame,
which item of Detector Information Sequence (0054,0022) made it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydicom import Dataset

from osteoserve_client.errors import AcquisitionError, MissingAttributeError, ViewError
from osteoserve_client.reading.dicom.attributes import integer, items, numbers, texts, values
from osteoserve_client.reading.dicom.consistency import size
from osteoserve_client.reading.dicom.headers import DicomFile
from osteoserve_client.reading.scintigraphy.orientation import (
    PlaneDirections,
    from_cosines,
    from_patient_orientation,
)
from osteoserve_client.reading.scintigraphy.view_statements import coded_view, views_of_frames
from osteoserve_client.reading.scintigraphy.views import StoredFrame

#: Energy Window Vector and Detector Vector; Page Number and Frame Label Vector of copies.
_VECTORS = frozenset((0x00540010, 0x00540020, 0x00182001, 0x00182002))


@dataclass(frozen=True, eq=False)
class NuclearFrame:
    """One frame of a whole-body scan.

    Args:
        file: Where it lies.
        number: Which frame of the file, from 1.
        stored: Its name, size and stated view.
        by_detector: Where its rows and columns run, by its detector's Image Orientation.
        by_file: The same by what the header says of the whole file.
    """

    file: DicomFile
    number: int
    stored: StoredFrame
    by_detector: tuple[PlaneDirections | None, ...]
    by_file: tuple[PlaneDirections | None, ...]


def nuclear_frames(file: DicomFile) -> list[NuclearFrame]:
    """All frames of a file, in their order.

    Raises:
        AcquisitionError: They go by something else than detectors, or by energy windows.
        ViewError: A frame's view is neither anterior nor posterior, or stated in contradiction.
        OrientationError: A stated orientation is of no frontal plane.
        MissingAttributeError: A vector does not fit the frames.
    """
    count = integer(file.dataset, "NumberOfFrames", file.name) or 1
    _check_vectors(file, count)
    detectors = _detectors(file, count)
    at_top = views_of_frames(file, count)
    by_file = (
        from_patient_orientation(texts(file.dataset, "PatientOrientation", file.name), file.name),
        _by_cosines(file.dataset, file.name),
    )
    frames = []
    for number, (detector, top) in enumerate(zip(detectors, at_top, strict=True), start=1):
        name = file.name if count == 1 else f"{file.name}, frame {number}"
        view = None if detector is None else coded_view(detector, name)
        if view and top and view != top:
            raise ViewError(f"{name}: two View Code Sequences contradict each other")
        by_detector = () if detector is None else (_by_cosines(detector, name),)
        stored = StoredFrame(name, size(file), view or top)
        frames.append(NuclearFrame(file, number, stored, by_detector, by_file))
    return frames


def _check_vectors(file: DicomFile, count: int) -> None:
    pointers = values(file.dataset, "FrameIncrementPointer", file.name)
    if not set(pointers) <= _VECTORS:
        raise AcquisitionError(
            f"{file.name}: its frames go by time, phase, angle or slice; only whole-body bone "
            "scans are read"
        )
    if len(set(_vector(file, "EnergyWindowVector", count))) > 1:
        raise AcquisitionError(
            f"{file.name}: its frames are of several energy windows; export the one of the "
            "tracer's peak alone"
        )


def _detectors(file: DicomFile, count: int) -> list[Dataset | None]:
    """For each frame the item of the detector that made it; None where the file has no items."""
    detectors = items(file.dataset, "DetectorInformationSequence", file.name)
    vector = _vector(file, "DetectorVector", count) or ((1,) * count if len(detectors) == 1 else ())
    if not detectors or not vector:
        return [None] * count
    if not all(1 <= number <= len(detectors) for number in vector):
        raise MissingAttributeError(
            f"{file.name}: DetectorVector names a detector that DetectorInformationSequence lacks"
        )
    return [detectors[number - 1] for number in vector]


def _vector(file: DicomFile, keyword: str, count: int) -> tuple[int, ...]:
    """A value for each frame; empty when the vector is absent."""
    if not values(file.dataset, keyword, file.name):
        return ()
    found = numbers(file.dataset, keyword, file.name, count)
    return tuple(int(value) for value in found or ())


def _by_cosines(dataset: Dataset, name: str) -> PlaneDirections | None:
    return from_cosines(numbers(dataset, "ImageOrientationPatient", name, 6), name)
