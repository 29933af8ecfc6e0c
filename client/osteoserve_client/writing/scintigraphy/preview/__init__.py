"""``preview.png`` of a bone scan: the result at a glance, for a physician's eye."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from osteoserve_client.scintigram import Scintigram
from osteoserve_client.writing.colours import label_colours
from osteoserve_client.writing.preview.legend import write_header
from osteoserve_client.writing.scintigraphy.preview.legend import legends
from osteoserve_client.writing.scintigraphy.preview.page import arrange_views
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

#: Black is this share of what the network's window ends with: ribs and limbs are read with it.
SHARE_OF_WINDOW = 0.7


def scintigram_preview(
    scan: Scintigram,
    labels: npt.NDArray[np.uint8],
    regions: npt.NDArray[np.uint8],
    report: pb.ScintigramReport,
    *,
    warnings: int,
) -> Image.Image:
    """Draw every view twice, without and with its regions, and the legend.

    Args:
        scan: What was segmented.
        labels: (V, Y, X) uint8, on the scan's views.
        regions: (V, Y, X) uint8, likewise: numbers of regions.
        report: The service's, for the legend.
        warnings: How many the report holds.

    Returns:
        RGB; nothing of the patient but the image itself.
    """
    colours = label_colours(label.value for label in report.model.labels)
    # From the network's own window before brightness: no hot bladder moves it.
    did = report.preprocessing
    top = SHARE_OF_WINDOW * did.white_counts * did.brightness
    words = legends(scan, report, colours, top_counts=top, warnings=warnings)
    page = arrange_views(scan, labels, regions, colours, top_counts=top)
    picture = page.draw(legend_height=sum(each.height for each in words))
    write_header(picture, report.model)
    left, down = page.legend
    for each in words:
        each.onto(picture, (left, down))
        down += each.height
    return picture


def write_scintigram_preview(
    path: Path,
    scan: Scintigram,
    labels: npt.NDArray[np.uint8],
    regions: npt.NDArray[np.uint8],
    report: pb.ScintigramReport,
    *,
    warnings: int,
) -> None:
    """Write ``preview.png``; see `scintigram_preview`.

    Raises:
        OSError: The file could not be written.
    """
    picture = scintigram_preview(scan, labels, regions, report, warnings=warnings)
    picture.save(path, format="PNG")
