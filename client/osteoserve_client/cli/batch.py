"""``osteoserve batch``: many studies, whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import click

from osteoserve_client.cli.connection import Server, server_option, service_client
from osteoserve_client.cli.progress import Advance, progress_bars
from osteoserve_client.cli.segment.options import segment_options
from osteoserve_client.errors import INTERRUPTED, BatchIncompleteError
from osteoserve_client.segmenting.options import MODELS, Options

if TYPE_CHECKING:
    from osteoserve_client.batch.candidates import BatchInput
    from osteoserve_client.batch.session import Ended
    from osteoserve_client.jobs import Job, State

#: What ends a batch in good order.
ENDING: Final = (signal.SIGINT, signal.SIGTERM)

#: A terminal and a service manager may both say so: what comes so soon is the same wish, seconds.
TWIN_S: Final = 1.0


@click.command()
@click.argument(
    "given", metavar="INPUTS...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "-o",
    "--output",
    "out",
    required=True,
    metavar="OUT",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the batch; made where it does not exist.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    help="Which model to ask; twice where the inputs are of both kinds. "
    f"Default: {MODELS['CT']} for CT, {MODELS['NM']} for scans.",
)
@server_option
@click.option(
    "--parallel",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="Most requests at a time.",
)
@click.option("--retry-failed", is_flag=True, help="Begin jobs anew that failed in earlier runs.")
@click.option(
    "--wait",
    "wait_s",
    metavar="SECONDS",
    type=click.FloatRange(0),
    default=300,
    show_default=True,
    help="How long to wait for a service that goes away.",
)
@click.option(
    "--keep-names",
    is_flag=True,
    help="Name files in batch.csv and batch.sqlite; people may have named them after patients.",
)
@click.option("--json", "as_json", is_flag=True, help="Say how it ended as one JSON document.")
@segment_options
def batch(
    *,
    given: tuple[Path, ...],
    out: Path,
    models: tuple[str, ...],
    server: Server | None,
    parallel: int,
    retry_failed: bool,
    wait_s: float,
    keep_names: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Segment every CT study and bone scan in INPUTS, files and folders, into folders of OUT.

    Run it again after whatever ended it: what is done is not done again. OUT/batch.csv says of
    every job how it ended and why. One input that is refused does not stop the others; the exit
    code is 0 when all are done, and 7 when some failed.
    """
    from osteoserve_client.batch.session import TABLE, Request, opened
    from osteoserve_client.jobs import State

    request = Request(
        given=given,
        out=out,
        options=Options(**options),
        models=models,
        parallel=parallel,
        retry_failed=retry_failed,
        wait_s=wait_s,
        keep_names=keep_names,
    )
    terminal = _Terminal()
    with _interrupted_in_good_order(), opened(request, terminal) as session:
        try:
            with terminal.bars():
                session.run(lambda model: service_client(server, model=model), own=server is None)
        finally:
            ended = session.close()
            if ended.jobs:
                _tell(ended, out, as_json=as_json)
    failed = ended.count(State.FAILED)
    if failed:
        raise BatchIncompleteError(f"{failed} of {len(ended.jobs)} jobs failed: see {TABLE}")


class _Terminal:
    """A person who watches, or a log."""

    def __init__(self) -> None:
        self._advance: Advance | None = None

    @contextmanager
    def bars(self) -> Iterator[None]:
        """Draw bars; what is printed meanwhile stands above them, on standard error."""
        with progress_bars() as self._advance:
            yield

    def progress(self, step: str, done: int, total: int) -> None:
        if self._advance is not None:
            self._advance(step, done, total)

    def note(self, line: str) -> None:
        click.echo(f"note: {line}", err=True)

    def ended(self, given: BatchInput, state: State, text: str) -> None:
        if text:
            click.echo(f"{state}: {given.shown}: {text}", err=True)


@contextmanager
def _interrupted_in_good_order() -> Iterator[None]:
    """Let SIGINT and SIGTERM end it in the same good order, and a second one at once.

    What that leaves is what a kill leaves: the next run mends it.
    """
    asked_at: float | None = None

    def interrupt(*_: object) -> None:
        nonlocal asked_at
        if asked_at is None:
            asked_at = monotonic()
            raise KeyboardInterrupt
        if monotonic() - asked_at > TWIN_S:
            os._exit(INTERRUPTED)

    before = {number: signal.signal(number, interrupt) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(ended: Ended, out: Path, *, as_json: bool) -> None:
    from osteoserve_client.batch.session import TABLE
    from osteoserve_client.jobs import State

    counts = {state.value: ended.count(state) for state in State}
    if as_json:
        jobs = [_document(job, ended.inputs[job.key], out) for job in ended.jobs]
        click.echo(json.dumps({"counts": counts, "jobs": jobs}, indent=2))
        return
    click.echo(", ".join(f"{count} {state}" for state, count in counts.items() if count))
    click.echo(out / TABLE)


def _document(job: Job, given: BatchInput, out: Path) -> dict[str, Any]:
    names = job.result.get("outputs")
    return {
        "job": job.key,
        "input": given.shown,
        "state": job.state.value,
        "error_kind": job.error_kind,
        "error": job.error,
        "attempts": job.attempts,
        "outputs": [str(out / job.key / str(name)) for name in names]
        if isinstance(names, list)
        else [],
        "digests": dict(job.digests),
        "warnings": job.result.get("warnings", []),
    }
