"""SHA-256 of what two runs on the same input must have in common."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pydicom import dcmread

from osteoserve_client.reading.discretion import silenced_libraries
from osteoserve_client.writing.output_names import (
    LABEL_IMAGES,
    LABEL_MAP,
    NUMBER_IMAGES,
    REGIONS,
    REGIONS_OBJECT,
    SEGMENTATION_OBJECT,
    VOLUMES,
)

#: Outputs that are the same, byte for byte, in every run.
REPRODUCIBLE: Final = (LABEL_MAP, VOLUMES, *LABEL_IMAGES.values(), *NUMBER_IMAGES.values(), REGIONS)
#: Outputs whose pixels are; their UIDs and times are each run's own (PS3.5, chapter 9).
PIXELS: Final = (SEGMENTATION_OBJECT, REGIONS_OBJECT)


def output_digests(paths: Iterable[Path]) -> MappingProxyType[str, str]:
    """Digests of one job's outputs, by name.

    Args:
        paths: The outputs. Report and picture are passed over: one states times, and the other's
            bytes depend on the version of a library.

    Raises:
        OSError: One of them cannot be read.
    """
    digests = {}
    for path in sorted(paths):
        if path.name in REPRODUCIBLE:
            with path.open("rb") as file:
                digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
        elif path.name in PIXELS:
            with silenced_libraries():
                pixels = dcmread(path, specific_tags=["PixelData"]).PixelData
            digests[path.name] = hashlib.sha256(pixels).hexdigest()
    return MappingProxyType(digests)
