"""Every entry through which bytes of strangers come in.

A target takes any bytes. It returns where they are refused with one of our own errors in one line,
or where what came of them is sound; anything else it raises is a fault of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from tests.fuzz import preprocessing, reading, wire

TARGETS: Mapping[str, Callable[[bytes], None]] = MappingProxyType(
    {
        "answer": wire.answer,
        "bone_scan": preprocessing.bone_scan,
        "ct": preprocessing.ct,
        "dicom": reading.dicom,
        "image": reading.image,
        "scintigram": wire.scintigram,
        "segment": wire.segment,
        "series": reading.series,
        "volume": reading.volume,
    }
)
