"""Writes what one index leaves on disk: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from osteoserve_client.bone_scan_index.document import index_document
from osteoserve_client.bone_scan_index.preview import part_colours, write_preview
from osteoserve_client.bone_scan_index.result import ScanIndex
from osteoserve_client.bone_scan_index.rows import write_table
from osteoserve_client.writing.report import write_report
from osteoserve_client.writing.scintigraphy.label_images import write_label_image
from osteoserve_client.writing.transaction import all_or_nothing

TABLE: Final = "bsi.csv"
DOCUMENT: Final = "bsi.json"
IMAGES: Final = {"anterior": "bsi_anterior.png", "posterior": "bsi_posterior.png"}
PREVIEW: Final = "bsi_preview.png"

OUTPUT_NAMES: Final = (TABLE, DOCUMENT, *IMAGES.values(), PREVIEW)


def write_index(
    result: ScanIndex, out: Path, *, created: datetime | None = None
) -> tuple[Path, ...]:
    """Write table, document, the images of parts, and the picture into ``out``.

    All of them appear, or none does and ``out`` stays as it was. What an earlier index left there
    is replaced, or removed; other files are not touched.

    Args:
        result: The index.
        out: Folder of the outputs; made where it is missing.
        created: What the document states as its time; now, where none is given.

    Returns:
        The files, in the order of `OUTPUT_NAMES`; images for the views that have hot spots.

    Raises:
        OutputError: A file could not be written.
    """
    created = created or datetime.now(UTC)
    images = {IMAGES[view]: view for view in result.index.pictures}
    names = [name for name in OUTPUT_NAMES if name not in IMAGES.values() or name in images]
    document = index_document(result, created=created, outputs=names)
    writers: dict[str, Callable[[Path], None]] = {
        TABLE: lambda path: write_table(path, result),
        DOCUMENT: lambda path: write_report(path, document),
        PREVIEW: lambda path: write_preview(path, result),
    }
    for name, view in images.items():
        writers[name] = partial(
            write_label_image,
            view=result.scan[view],
            values=result.index.pictures[view],
            colours=part_colours(result),
        )
    with all_or_nothing(out, owned=OUTPUT_NAMES) as transaction:
        for name in names:
            transaction.write(name, writers[name])
    return tuple(out / name for name in names)
