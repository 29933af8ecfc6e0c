"""``bsi.json``: the report on the regions, and the index set against them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from osteoserve_client.bone_scan_index import bladder
from osteoserve_client.bone_scan_index.index import BLADDER, HOT
from osteoserve_client.bone_scan_index.result import WHAT_IT_IS, ScanIndex
from osteoserve_client.bone_scan_index.rows import Row, rows
from osteoserve_client.study import Json
from osteoserve_client.writing.scintigraphy.report import scintigram_report_document


def index_document(
    result: ScanIndex, *, created: datetime, outputs: Sequence[str] = ()
) -> dict[str, Json]:
    """Everything that is known of an index; nothing of the patient.

    It is what ``report.json`` says of the regions, and under ``bone_scan_index`` the figures.

    Args:
        result: The index.
        created: When it was made.
        outputs: Names of the files that are written.
    """
    document = scintigram_report_document(
        result.scan, result.report, created=created, outputs=outputs, warnings=()
    )
    earlier = document.pop("warnings")
    own: list[Json] = [{"from": "bone_scan_index", "text": text} for text in result.cautions]
    index: dict[str, Json] = {
        "per_cent": result.index.per_cent,
        "definition": _definition(result),
        "hot_spots": _hot_spots(result),
        "figures": [_figure(row, result.pixel_mm2) for row in rows(result)],
    }
    return {
        **document,
        "bone_scan_index": index,
        "warnings": [*own, *(earlier if isinstance(earlier, list) else [])],
    }


def _definition(result: ScanIndex) -> dict[str, Json]:
    return {
        "what": WHAT_IT_IS,
        "numerator": "hot pixels in regions of the skeleton",
        "denominator": "pixels of regions of the skeleton, over the views that have hot spots",
        "views": list(result.index.pictures),
        "excluded_from_both": ["kidney", *(["bladder_region"] * result.bladder_excluded)],
        "bladder_region": {
            "excluded": result.bladder_excluded,
            "form": "ellipse in the box round the pelvis region, inside that region",
            "centre_down": bladder.CENTRE_DOWN,
            "centre_across": 0.5,
            "half_axis_down": bladder.HALF_DOWN,
            "half_axis_across": bladder.HALF_ACROSS,
            "unit": "of the box's height (down, from the head's end) and width (across)",
        },
        "image_values": f"number of the part; {BLADDER} bladder region, 0 outside; {HOT} more: hot",
    }


def _hot_spots(result: ScanIndex) -> dict[str, Json]:
    index = result.index
    return {
        "files": [
            {
                "form": file.form,
                "sha256": file.sha256,
                "views": list(file.views),
                "segments": list(file.segments) or None,
            }
            for file in result.hot_spots.files
        ],
        "pixels": index.hot_pixels,
        "counted": index.skeleton.hot,
        "excluded_kidney": index.not_counted("kidney").hot,
        "excluded_bladder_region": index.not_counted("bladder_region").hot,
        "outside": index.not_counted("outside").hot,
    }


def _figure(row: Row, pixel_mm2: float | None) -> dict[str, Json]:
    area = row.area
    return {
        "row": row.row,
        "view": row.view,
        "region": row.region,
        "side": row.side or None,
        "number": row.number,
        "pixels": area.pixels,
        "area_mm2": None if pixel_mm2 is None else area.pixels * pixel_mm2,
        "hot_pixels": area.hot,
        "hot_mm2": None if pixel_mm2 is None else area.hot * pixel_mm2,
        "per_cent": None if row.share is None else area.per_cent,
        "per_cent_of_skeleton": row.share,
    }
