"""Refuses slices that do not belong together, before anything is made of where they lie."""

from __future__ import annotations

from collections.abc import Sequence

from osteoserve_client.errors import (
    InconsistentSlicesError,
    InputError,
    MixedFrameOfReferenceError,
    MixedPatientsError,
    MixedSeriesError,
)
from osteoserve_client.reading.dicom.attributes import integer, raw_text
from osteoserve_client.reading.dicom.headers import DicomFile

#: What all images of one study share: keyword, how messages call it, and the refusal.
_STUDY = (
    ("PatientID", "Patient ID", MixedPatientsError),
    ("PatientName", "Patient's Name", MixedPatientsError),
    ("PatientBirthDate", "Patient's Birth Date", MixedPatientsError),
    ("StudyInstanceUID", "Study Instance UID", MixedSeriesError),
)
#: What all slices of one series share besides.
_SERIES = (
    ("SeriesInstanceUID", "Series Instance UID", MixedSeriesError),
    ("FrameOfReferenceUID", "Frame of Reference UID", MixedFrameOfReferenceError),
)


def check_one_series(files: Sequence[DicomFile]) -> None:
    """Refuses files of several patients, studies, series or frames of reference, or sizes.

    Messages name the attribute, never its values.

    Raises:
        MixedPatientsError: They state different patients.
        MixedSeriesError: They state different studies or series.
        MixedFrameOfReferenceError: Their positions refer to different origins.
        InconsistentSlicesError: They differ in rows or columns.
    """
    check_one_study(files)
    first = files[0]
    _check_same(files, _SERIES)
    rows, columns = size(first)
    for other in files[1:]:
        if size(other) != (rows, columns):
            raise InconsistentSlicesError(
                f"{first.name} ({rows}x{columns} pixels) and {other.name} differ in size"
            )


def check_one_study(files: Sequence[DicomFile]) -> None:
    """Refuses files of several patients or studies; messages name the attribute alone.

    Raises:
        MixedPatientsError: They state different patients.
        MixedSeriesError: They state different studies.
    """
    _check_same(files, _STUDY)


def _check_same(
    files: Sequence[DicomFile], attributes: Sequence[tuple[str, str, type[InputError]]]
) -> None:
    first = files[0]
    for keyword, title, error in attributes:
        expected = raw_text(first.dataset, keyword)
        for other in files[1:]:
            if raw_text(other.dataset, keyword) != expected:
                raise error(f"{first.name} and {other.name} differ in {title}")


def absent_identifiers(file: DicomFile) -> list[str]:
    """Which of the identifiers that keep slices together the file does not state."""
    wanted = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID")
    return [keyword for keyword in wanted if not raw_text(file.dataset, keyword)]


def size(file: DicomFile) -> tuple[int, int]:
    """(rows, columns) that the header declares; 0 where it declares none."""
    return (
        integer(file.dataset, "Rows", file.name) or 0,
        integer(file.dataset, "Columns", file.name) or 0,
    )
