"""``osteoserve bsi``: a bone scan and its hot spots in, the Bone Scan Index out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from osteoserve_client.cli.connection import Server, server_option, service_client
from osteoserve_client.cli.progress import Advance, progress_bars
from osteoserve_client.segmenting.options import MODELS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from osteoserve_client.bone_scan_index import ScanIndex
    from osteoserve_client.scintigram import Scintigram
    from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb


@click.command()
@click.argument("source", metavar="SCAN", type=click.Path(path_type=Path))
@click.option(
    "--hotspots",
    metavar="MASK",
    multiple=True,
    help="What a physician, or another model, calls metastases: DICOM SEG, NIfTI or PNG, not 0 "
    "where it is hot; anterior=MASK or posterior=MASK where the file does not say its view. "
    "Several are united.",
)
@click.option(
    "--segment",
    "segments",
    metavar="NUMBER",
    type=click.IntRange(1),
    multiple=True,
    help="Which segment of a DICOM SEG; may be repeated.  [default: all]",
)
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for table, document and pictures; without it the table is printed alone.",
)
@click.option(
    "--view", help="What the frames show, in their order, where the file does not say so."
)
@click.option("--series", metavar="NUMBER", help="Which series, where the folder holds several.")
@click.option(
    "--keep-bladder", is_flag=True, help="Count the bladder region as part of the pelvis."
)
@click.option(
    "--regions",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="What osteoserve segment wrote of the same scan; no service is asked.",
)
@click.option("--model", default=MODELS["NM"], show_default=True, help="Which model to ask.")
@server_option
@click.option("--json", "as_json", is_flag=True, help="Say everything as one JSON document.")
def bsi(
    source: Path,
    hotspots: tuple[str, ...],
    segments: tuple[int, ...],
    output: Path | None,
    view: str | None,
    series: str | None,
    keep_bladder: bool,
    regions: Path | None,
    model: str,
    server: Server | None,
    as_json: bool,
) -> None:
    """Set hot spots against the skeleton of the bone scan SCAN, in per cent of its area.

    Kidneys and the bladder region count neither as bone nor as hot spots; nor do hot spots outside
    the skeleton. OUT then holds bsi.csv, bsi.json, bsi_anterior.png, bsi_posterior.png and
    bsi_preview.png, all of them or none.

    This is an area ratio of planar views, as Yu 2023, section 1, describes the Bone Scan Index;
    that of Imbriaco 1998 weighs bones by their mass. For research only.
    """
    from osteoserve_client.bone_scan_index import index_of_scan, read_hot_spots, write_index
    from osteoserve_client.bone_scan_index.document import index_document
    from osteoserve_client.bone_scan_index.hot_spots import NO_HOT_SPOTS
    from osteoserve_client.errors import UsageError
    from osteoserve_client.reading import read_scintigram

    if not hotspots:
        raise UsageError(NO_HOT_SPOTS)
    with progress_bars() as advance:
        scan = read_scintigram(
            source,
            view=view,
            series=series,
            on_progress=lambda done, total: advance("Reading", done, total),
        )
        # Before a service is asked: a mask that is refused costs no waiting.
        hot_spots = read_hot_spots(hotspots, scan, segments=segments)
        numbers, report = _regions(scan, regions, model, server, advance)
    result = index_of_scan(scan, numbers, report, hot_spots, exclude_bladder=not keep_bladder)
    created = datetime.now(UTC)
    written = write_index(result, output, created=created) if output else ()
    if as_json:
        names = [path.name for path in written]
        click.echo(json.dumps(index_document(result, created=created, outputs=names), indent=2))
    else:
        _tell(result, written)


def _regions(
    scan: Scintigram, folder: Path | None, model: str, server: Server | None, advance: Advance
) -> tuple[npt.NDArray[np.uint8], pb.ScintigramReport]:
    """The regions' numbers and their report: an earlier run's, or a service's."""
    if folder is not None:
        from osteoserve_client.bone_scan_index import read_earlier_regions

        return read_earlier_regions(folder, scan)
    from osteoserve_client.cli.segment.stages import shown
    from osteoserve_client.writing.scintigraphy import check_scintigram_agreement

    with service_client(server, model=model) as client:
        labels, numbers, report = client.segment_scintigram(
            scan, model=model, on_progress=shown(advance)
        )
    check_scintigram_agreement(scan, labels, numbers, report)
    return numbers, report


def _tell(result: ScanIndex, written: tuple[Path, ...]) -> None:
    from osteoserve_client.bone_scan_index.result import WHAT_IT_IS
    from osteoserve_client.bone_scan_index.text import table_lines

    for warning in (*result.scan.warnings, *result.report.warnings, *result.cautions):
        click.echo(f"note: {warning}", err=True)
    click.echo(f"Bone Scan Index {result.index.per_cent:.2f} %")
    click.echo(WHAT_IT_IS)
    for line in table_lines(result):
        click.echo(line)
    for path in written:
        click.echo(str(path))
