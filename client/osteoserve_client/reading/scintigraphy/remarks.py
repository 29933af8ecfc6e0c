"""What a report should say of a bone scan: how it was acquired, and what was assumed of it.

Numbers and words of the standard only: free text may name a patient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from osteoserve_client.reading.dicom.attributes import integer, number, text
from osteoserve_client.reading.dicom.consistency import absent_identifiers
from osteoserve_client.reading.dicom.headers import DicomFile
from osteoserve_client.reading.dicom.remarks import (
    counted,
    ignored_files,
    image_remarks,
    is_lossy,
)
from osteoserve_client.reading.dicom.series import Series
from osteoserve_client.reading.scintigraphy.tracers import radionuclide, radiopharmaceutical
from osteoserve_client.scintigram import PlanarView
from osteoserve_client.study import Json

#: PS3.3 C.8.4.9: one pass, two passes, patient contour following, multiple static frames.
_TECHNIQUES = ("1PS", "2PS", "PCN", "MSP")
#: Manufacturers of gamma cameras, by a word of theirs: the attribute is free text.
_MANUFACTURERS = {
    "ADAC": "ADAC",
    "DDD": "DDD-Diagnostic",
    "ELSCINT": "Elscint",
    "GE": "GE",
    "MEDISO": "Mediso",
    "OSTEOSERVE": "Osteoserve",
    "PHILIPS": "Philips",
    "PICKER": "Picker",
    "SIEMENS": "Siemens",
    "SOPHA": "Sopha",
    "SPECTRUM": "Spectrum Dynamics",
    "TOSHIBA": "Toshiba",
}


def file_remarks(
    series: Sequence[Series], files: Sequence[DicomFile], *, ignored: int
) -> list[str]:
    """One line for each thing about the files that is odd and yet no reason to refuse.

    Args:
        series: What was chosen.
        files: The files that were read.
        ignored: Number of files that are no DICOM images.
    """
    left_out = [error for one in series for error in one.refused]
    found = [
        ignored_files(ignored),
        counted(
            len(left_out),
            "image of the series was left out: no whole-body bone scan",
            "images of the series were left out: no whole-body bone scans",
        ),
    ]
    for file in files:
        # A planar image has no place in space.
        absent = [word for word in absent_identifiers(file) if word != "FrameOfReferenceUID"]
        found += [f"{keyword} is absent" for keyword in absent]
        found += image_remarks(file, unit="counts")
    return unique(found)


def described(
    series: Sequence[Series], files: Sequence[DicomFile], views: Sequence[PlanarView]
) -> Mapping[str, Json]:
    """How the scan was acquired, as far as its headers say so."""
    return {
        "series": " and ".join(one.summary.identifier for one in series),
        "total_counts": total_counts(views),
        "files": [_file_described(file) for file in files],
    }


def total_counts(views: Sequence[PlanarView]) -> dict[str, Json]:
    """The sum of each view's counts."""
    return {view.view: int(view.counts.sum(dtype="int64")) for view in views}


def unique(lines: Sequence[str]) -> list[str]:
    """The lines that say something, each once, in their order."""
    return list(dict.fromkeys(line for line in lines if line))


def _file_described(file: DicomFile) -> dict[str, Json]:
    dataset, name = file.dataset, file.name
    technique = text(dataset, "WholeBodyTechnique", name).upper()
    duration = number(dataset, "ActualFrameDuration", name)
    nuclide, tracer = radionuclide(file), radiopharmaceutical(file)
    return {
        "transfer_syntax": file.transfer_syntax.name,
        "lossy": is_lossy(file),
        "manufacturer": _manufacturer(text(dataset, "Manufacturer", name)),
        "radionuclide": nuclide.meaning if nuclide else None,
        "radiopharmaceutical": tracer.meaning if tracer else None,
        "counts_accumulated": integer(dataset, "CountsAccumulated", name),
        "frame_duration_s": None if duration is None else duration / 1000,
        "scan_velocity_mm_per_s": number(dataset, "ScanVelocity", name),
        "scan_length_mm": number(dataset, "ScanLength", name),
        "whole_body_technique": technique if technique in _TECHNIQUES else None,
    }


def _manufacturer(words: str) -> str | None:
    return next(
        (_MANUFACTURERS[word] for word in words.upper().split() if word in _MANUFACTURERS), None
    )
