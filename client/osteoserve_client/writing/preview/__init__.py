"""``preview.png``: the result at a glance, for a radiologist's eye."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from osteoserve_client.study import Study
from osteoserve_client.writing.colours import label_colours
from osteoserve_client.writing.preview.display import display_volume
from osteoserve_client.writing.preview.layout import arrange
from osteoserve_client.writing.preview.legend import legend, write_header
from osteoserve_client.writing.preview.slices import choose_slices
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

#: How many axial slices are shown, where there are as many.
SLICES = 6
#: Half the time of the usual 6, for a twentieth more bytes.
PNG_LEVEL = 4


def preview(
    study: Study, labels: npt.NDArray[np.uint8], report: pb.SegmentReport, *, warnings: int
) -> Image.Image:
    """Draw projections, slices and legend; nothing of the patient but the image itself.

    Args:
        study: What was segmented, in any orientation.
        labels: (Z, Y, X) uint8, on the study's grid.
        report: The service's, for the legend.
        warnings: How many the report holds.

    Returns:
        RGB.
    """
    shown = display_volume(study.volume, labels).cropped()
    colours = label_colours(label.value for label in report.model.labels)
    words = legend(shown, study.volume.geometry, report, colours, warnings=warnings)
    slices = choose_slices(shown, SLICES)
    page = arrange(shown, slices, colours, legend_height=words.height)
    picture = page.draw()
    write_header(picture, report.model)
    words.onto(picture, page.on_page(page.legend))
    return picture


def write_preview(
    path: Path,
    study: Study,
    labels: npt.NDArray[np.uint8],
    report: pb.SegmentReport,
    *,
    warnings: int,
) -> None:
    """Write ``preview.png``; see `preview`.

    Raises:
        OSError: The file could not be written.
    """
    picture = preview(study, labels, report, warnings=warnings)
    picture.save(path, format="PNG", compress_level=PNG_LEVEL)
