"""The figures as a table on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from osteoserve_client.bone_scan_index.result import ScanIndex
from osteoserve_client.bone_scan_index.rows import Row, rows

_HEADS = ("", "view", "region", "side", "pixels", "hot", "per cent", "of skeleton")


def table_lines(result: ScanIndex) -> Iterator[str]:
    """The rows of ``bsi.csv`` in aligned columns, without square millimetres."""
    cells = [_HEADS, *(_cells(row) for row in rows(result))]
    widths = [max(len(line[n]) for line in cells) for n in range(len(_HEADS))]
    for line in cells:
        words = (text.ljust(width) for text, width in zip(line[:4], widths[:4], strict=True))
        figures = (text.rjust(width) for text, width in zip(line[4:], widths[4:], strict=True))
        yield "  ".join((*words, *figures)).rstrip()


def _cells(row: Row) -> tuple[str, ...]:
    own = row.area.per_cent if row.share is not None else None
    return (
        row.row,
        row.view,
        row.region,
        row.side,
        str(row.area.pixels),
        str(row.area.hot),
        "" if own is None else f"{own:.2f}",
        "" if row.share is None else f"{row.share:.2f}",
    )
