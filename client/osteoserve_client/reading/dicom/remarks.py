"""What a report should say of a series: oddities that are no reason to refuse, and its acquisition.

Numbers and code words of the standard only: free text may name a patient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
)

from osteoserve_client.reading.dicom.attributes import number, text, texts
from osteoserve_client.reading.dicom.consistency import absent_identifiers
from osteoserve_client.reading.dicom.headers import DicomFile
from osteoserve_client.reading.dicom.series import Series
from osteoserve_client.reading.dicom.stack import Stack
from osteoserve_client.study import Json

#: PS3.3 C.7.3.1.1.2
_PATIENT_POSITIONS = ("HFS", "HFP", "HFDR", "HFDL", "FFS", "FFP", "FFDR", "FFDL")
_LOSSY = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000, HTJ2K)


def remarks(stack: Stack, series: Series, *, ignored: int) -> tuple[str, ...]:
    """One line for each thing that is odd and yet no reason to refuse."""
    file = stack.slices[0].file
    found = [
        ignored_files(ignored),
        counted(len(series.localizers), "localizer was left out", "localizers were left out"),
        *(f"{keyword} is absent" for keyword in absent_identifiers(file)),
        *image_remarks(file, unit="HU"),
        "Rescale Type is unspecified; values were taken as HU"
        if any(one.unit == "US" for one in stack.slices)
        else "",
        *stack.warnings,
    ]
    return tuple(line for line in found if line)


def described(stack: Stack, series: Series) -> Mapping[str, Json]:
    """How the series was acquired, as far as its header says so."""
    first = stack.slices[0]
    dataset, name = first.file.dataset, first.name
    position = text(dataset, "PatientPosition", name).upper()
    return {
        "series": series.summary.identifier,
        "transfer_syntax": first.file.transfer_syntax.name,
        "patient_position": position if position in _PATIENT_POSITIONS else None,
        "kvp": number(dataset, "KVP", name),
        "slice_thickness_mm": first.thickness,
        "slice_spacing_mm": stack.spacing,
        "multi_frame": len(stack.slices) > 1 and len({one.file for one in stack.slices}) == 1,
    }


def is_lossy(file: DicomFile) -> bool:
    """Whether the pixels are no longer those that were measured (PS3.3 C.7.6.1.1.5)."""
    stated = text(file.dataset, "LossyImageCompression", file.name) == "01"
    return stated or file.transfer_syntax in _LOSSY


def image_remarks(file: DicomFile, *, unit: str) -> Sequence[str]:
    """What makes the pixels of a file less than original.

    Args:
        file: The image.
        unit: What its pixels are.
    """
    found = []
    if "DERIVED" in texts(file.dataset, "ImageType", file.name)[:1]:
        found.append("Image Type is DERIVED: the pixels were computed from other images")
    if is_lossy(file):
        found.append(f"pixels were compressed with loss: {unit} are not exact")
    return found


def ignored_files(count: int) -> str:
    """The remark on files that are no images; empty when there are none."""
    return counted(count, "file was ignored: no DICOM image", "files were ignored: no DICOM images")


def counted(count: int, one: str, several: str) -> str:
    """The number with the words that fit it; empty for 0."""
    return f"{count} {one if count == 1 else several}" if count else ""
