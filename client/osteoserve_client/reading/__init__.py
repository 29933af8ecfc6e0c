"""Reads CT studies and bone scans, and refuses what is not safe to segment.

A CT comes from DICOM, NIfTI, NRRD or MetaImage; a whole-body bone scan from DICOM, PNG or TIFF.
``docs/input.md`` says what is read, what is refused, and how to mend it.
"""

from osteoserve_client.reading.read import (
    InputFiles,
    list_series,
    modality_of,
    onto_source_slices,
    read_scintigram,
    read_study,
)

__all__ = [
    "InputFiles",
    "list_series",
    "modality_of",
    "onto_source_slices",
    "read_scintigram",
    "read_study",
]
