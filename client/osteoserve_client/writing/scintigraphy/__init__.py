"""What one segmented bone scan leaves on disk: segmentation object, images, report, table."""

from osteoserve_client.writing.output_names import SCINTIGRAM_OUTPUT_NAMES
from osteoserve_client.writing.scintigraphy.agreement import check_scintigram_agreement
from osteoserve_client.writing.scintigraphy.outputs import (
    check_scintigram,
    write_scintigram_outputs,
)

__all__ = [
    "SCINTIGRAM_OUTPUT_NAMES",
    "check_scintigram",
    "check_scintigram_agreement",
    "write_scintigram_outputs",
]
