"""``bsi_preview.png``: what was counted as a hot spot, and what was not, at a glance."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from osteoserve_client.bone_scan_index.index import HOT, Pixels
from osteoserve_client.bone_scan_index.preview_words import (
    COLOURS,
    EXCLUDED,
    HOT_COUNTED,
    HOT_NOT_COUNTED,
    SKELETON,
    words,
)
from osteoserve_client.bone_scan_index.result import ScanIndex
from osteoserve_client.writing.colours import Colour
from osteoserve_client.writing.preview.legend import write_header
from osteoserve_client.writing.scintigraphy.preview.page import ViewsPage, arrange_views, body_rows

#: Opacity of a hot spot: it is black itself, and a stain would not show on it.
OPACITY = 0.8

_COLD = {"counted": SKELETON, "excluded": EXCLUDED, "outside": 0}


def index_preview(result: ScanIndex) -> Image.Image:
    """Draw every view twice, alone and with what was counted, and the figures.

    Returns:
        RGB; nothing of the patient but the image itself.
    """
    page, beside = arranged(result), words(result)
    picture = page.draw(legend_height=beside.height)
    write_header(picture, result.report.model)
    beside.onto(picture, page.legend)
    return picture


def arranged(result: ScanIndex) -> ViewsPage:
    """The pictures of the views: regions stained and outlined, hot spots painted."""
    parts, table = _parts(result), _shown_as(result)
    # Without what is hot: a region's border and stain are its own.
    regions = parts & np.uint8(HOT - 1)
    shown = np.where(regions > 0, table[regions], table[parts])
    preprocessing = result.report.preprocessing
    page = arrange_views(
        result.scan,
        shown,
        regions,
        COLOURS,
        top_counts=preprocessing.white_counts * preprocessing.brightness,
    )
    rows = body_rows(result.scan.counts, shown)
    panels = zip(page.views, table[parts], strict=True)
    return replace(
        page,
        views=tuple((name, alone, _painted(on, own[rows])) for (name, alone, on), own in panels),
    )


def write_preview(path: Path, result: ScanIndex) -> None:
    """Write ``bsi_preview.png``.

    Raises:
        OSError: The file could not be written.
    """
    index_preview(result).save(path, format="PNG")


def part_colours(result: ScanIndex) -> dict[int, Colour]:
    """RGB of every value of the images of parts but 0."""
    return {value: COLOURS[int(shown)] for value, shown in enumerate(_shown_as(result)) if shown}


def _shown_as(result: ScanIndex) -> Pixels:
    """(256,) for each value of the pictures of parts, which of ``COLOURS``; 0 for none."""
    table = np.zeros(256, dtype=np.uint8)
    for part in result.index.parts:
        table[part.number] = {"counted": SKELETON, "excluded": EXCLUDED, "outside": 0}[
            part.standing
        ]
        table[part.number + HOT] = HOT_COUNTED if part.standing == "counted" else HOT_NOT_COUNTED
    return table


def _parts(result: ScanIndex) -> Pixels:
    """(V, Y, X): the pictures of parts; 0 of a view without hot spots."""
    found = [
        result.index.pictures.get(view.view, np.zeros(view.counts.shape, np.uint8))
        for view in result.scan.views
    ]
    return np.stack(found)


def _painted(panel: Image.Image, classes: Pixels) -> Image.Image:
    """The panel with hot spots in their colours, letters and scale bar left as they are."""
    painted = panel.copy()
    for shown in (HOT_COUNTED, HOT_NOT_COUNTED):
        hot = Image.fromarray((classes == shown).astype(np.uint8) * round(255 * OPACITY))
        painted.paste(COLOURS[shown], mask=hot.resize(panel.size, Image.Resampling.BOX))
    return painted
