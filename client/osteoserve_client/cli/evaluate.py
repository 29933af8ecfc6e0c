"""``osteoserve evaluate``: predictions against references."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from osteoserve_client.cli.connection import Server, server_option, service_client
from osteoserve_client.cli.progress import progress_bars

if TYPE_CHECKING:
    from osteoserve_client.evaluation.run import Predict
    from osteoserve_client.service import ServiceClient


@click.command()
@click.option(
    "--references",
    required=True,
    metavar="REF",
    type=click.Path(path_type=Path),
    help="What is true: a label map, a study's folder, or a folder of studies.",
)
@click.option(
    "--predictions",
    metavar="PRED",
    type=click.Path(path_type=Path),
    help="What was found, likewise; the folder of `osteoserve segment -o`, for one.",
)
@click.option(
    "--model",
    metavar="NAME",
    help="Instead of --predictions: have this served model segment the images beside REF.",
)
@server_option
@click.option(
    "--folds",
    metavar="FILE.csv",
    type=click.Path(path_type=Path),
    help="Columns study and fold: adds the tables of a cross-validation.",
)
@click.option(
    "--labels",
    metavar="NAMES",
    help="What the values from 1 on mean: names with commas between, or a labels.txt.",
)
@click.option(
    "--ignore",
    "ignored",
    type=click.IntRange(1, 255),
    default=255,
    show_default=True,
    help="Value of references that means unknown, and is not counted.",
)
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for tables, JSON and plot; made where it does not exist.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and no tables.")
def evaluate(
    references: Path,
    predictions: Path | None,
    model: str | None,
    server: Server | None,
    folds: Path | None,
    labels: str | None,
    ignored: int,
    output: Path | None,
    as_json: bool,
) -> None:
    """Say how well label maps agree with references, label by label.

    CT: NIfTI, NRRD, MetaImage or DICOM segmentations, compared in patient space. Bone scans:
    labels_anterior.png and labels_posterior.png, or a phantom's regions.json. A prediction belongs
    to the reference whose file or folder has the same name. With -o: per_study.csv, pooled.csv,
    agreement.csv, evaluation.json, bland_altman.png, and with --folds folds.csv and
    folds_overlap.csv; all of them or none.
    """
    from osteoserve_client import evaluation as evaluating
    from osteoserve_client.evaluation.document import as_text
    from osteoserve_client.evaluation.terminal import show

    if (predictions is None) == (model is None):
        raise click.UsageError("give either --predictions or --model")
    names = None if labels is None else evaluating.parse_names(labels)
    with progress_bars() as advance, _predictions(predictions, model, server) as source:
        found = evaluating.evaluate(
            references,
            source,
            names=names,
            folds=folds,
            ignored=ignored,
            on_progress=lambda done, total: advance("Comparing", done, total),
            say=lambda line: click.echo(f"note: {line}", err=True),
        )
    document = evaluating.evaluation_document(found, model=model, ignored=ignored)
    written = () if output is None else evaluating.write_evaluation(found, document, output)
    if as_json:
        click.echo(as_text(document))
        return
    show(found)
    for path in written:
        click.echo(path)


@contextmanager
def _predictions(
    predictions: Path | None, model: str | None, server: Server | None
) -> Iterator[Path | Predict]:
    """The path of the predictions, or what asks a service for them."""
    if predictions is not None:
        yield predictions
        return
    from osteoserve_client.evaluation.served import predict

    with ExitStack() as open_until_the_end:

        @cache
        def connect() -> ServiceClient:
            return open_until_the_end.enter_context(service_client(server))

        yield lambda entry: predict(entry, connect, str(model))
