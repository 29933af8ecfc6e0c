"""Reads a CT study from DICOM, NIfTI, NRRD or MetaImage, and refuses what is not safe to segment.

``docs/input.md`` says what is read, what is refused, and how to mend it.
"""

from osteoserve_client.reading.read import list_series, onto_source_slices, read_study

__all__ = ["list_series", "onto_source_slices", "read_study"]
