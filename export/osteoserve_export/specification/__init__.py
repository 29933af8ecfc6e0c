"""What an export is asked for: one frozen value, from a TOML file, from options, or from both."""

from osteoserve_export.specification.file import (
    read_specification,
    specification,
    write_specification,
)
from osteoserve_export.specification.values import (
    LEAST_DICE,
    LOGIT_TOLERANCE,
    MATCH_RATE,
    SCORE_TOLERANCE,
    DetectionSpecification,
    ExportSpecification,
    SegmentationSpecification,
)

__all__ = [
    "LEAST_DICE",
    "LOGIT_TOLERANCE",
    "MATCH_RATE",
    "SCORE_TOLERANCE",
    "DetectionSpecification",
    "ExportSpecification",
    "SegmentationSpecification",
    "read_specification",
    "specification",
    "write_specification",
]
