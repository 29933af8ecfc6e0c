"""Finding the scanner table, so that it is not taken for bone."""

from osteoserve_preprocessing.core.stretcher.removal import (
    TABLE_HU,
    Stretcher,
    StretcherReport,
    find_stretcher,
)

__all__ = ["TABLE_HU", "Stretcher", "StretcherReport", "find_stretcher"]
