"""What one segmentation leaves on disk: label map, segmentation object, report, table, picture."""

from osteoserve_client.writing.outputs import (
    OUTPUT_NAMES,
    check_agreement,
    check_study,
    write_outputs,
)

__all__ = ["OUTPUT_NAMES", "check_agreement", "check_study", "write_outputs"]
