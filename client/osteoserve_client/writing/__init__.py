"""What one segmentation leaves on disk: label map, segmentation object, report, table, picture."""

from osteoserve_client.writing.output_names import OUTPUT_NAMES, SCINTIGRAM_OUTPUT_NAMES
from osteoserve_client.writing.outputs import check_agreement, check_study, write_outputs
from osteoserve_client.writing.scintigraphy import (
    check_scintigram,
    check_scintigram_agreement,
    write_scintigram_outputs,
)

__all__ = [
    "OUTPUT_NAMES",
    "SCINTIGRAM_OUTPUT_NAMES",
    "check_agreement",
    "check_scintigram",
    "check_scintigram_agreement",
    "check_study",
    "write_outputs",
    "write_scintigram_outputs",
]
