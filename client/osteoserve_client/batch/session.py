"""One run of a batch, from its inputs to its table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from osteoserve_client.batch.candidates import BatchInput
from osteoserve_client.batch.connection import Connection
from osteoserve_client.batch.enrolment import enrol, settle_options
from osteoserve_client.batch.folders import Folders
from osteoserve_client.batch.models import models_of, only_model
from osteoserve_client.batch.run import Plan, Run
from osteoserve_client.batch.search import Found, check_exist, find_inputs
from osteoserve_client.batch.table import write_table
from osteoserve_client.errors import OutputError
from osteoserve_client.jobs import Job, JobStore, State
from osteoserve_client.segmenting.options import Options
from osteoserve_client.service import ServiceClient

#: What a batch keeps in its folder, beside a folder for each job.
STORE, TABLE = "batch.sqlite", "batch.csv"

#: Opens a client; of a service of one's own that serves this model alone, or all.
Connect = Callable[[str | None], AbstractContextManager[ServiceClient]]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of a batch.

    Args:
        given: Files and folders.
        out: Folder of the batch; made where it is missing.
        options: How to segment, the model left open.
        models: Which models to ask, at most one for each modality.
        parallel: Most requests at a time.
        retry_failed: Begin anew what failed in earlier runs.
        wait_s: How long to wait for a service that goes away.
        keep_names: Keep names of files in store and table; they may name patients.
    """

    given: tuple[Path, ...]
    out: Path
    options: Options = field(default_factory=Options)
    models: tuple[str, ...] = ()
    parallel: int = 2
    retry_failed: bool = False
    wait_s: float = 300.0
    keep_names: bool = False


class Audience(Protocol):
    """Who is told how the batch goes on."""

    def progress(self, step: str, done: int, total: int) -> None:
        """So much of a step is done."""

    def note(self, line: str) -> None:
        """Something worth knowing, in one line."""

    def ended(self, given: BatchInput, state: State, text: str) -> None:
        """An attempt at one input has ended; called in several threads."""


@dataclass(frozen=True)
class Ended:
    """How the jobs of a run's inputs stand.

    Args:
        inputs: By key.
        jobs: Theirs, in the order in which they were added.
    """

    inputs: Mapping[str, BatchInput]
    jobs: tuple[Job, ...]

    def count(self, state: State) -> int:
        """How many are in that state."""
        return sum(job.state is state for job in self.jobs)


class Session:
    """One run, which holds the batch's folder. Made by `opened`.

    Args:
        request: What is asked.
        store: The jobs.
        audience: Who is told.
    """

    def __init__(self, request: Request, store: JobStore, audience: Audience) -> None:
        self._request = request
        self._store = store
        self._audience = audience
        self._folders = Folders(request.out)
        self._inputs: Mapping[str, BatchInput] = {}

    def run(self, connect: Connect, *, own: bool) -> None:
        """Do all that is to be done.

        Args:
            connect: Opens a client.
            own: Whether that starts a service first.

        Raises:
            UsageError: The batch was begun with other options, or two models are for one modality.
            InputNotFoundError: A folder may not be read.
            OutputError: An output or the store could not be written.
            ServiceUnavailableError: There is no service, or it went away and did not come back.
            ServiceRefusedError: It does not let the client in, or does not serve the model.
        """
        request, audience = self._request, self._audience
        self._folders.clean()
        settle_options(self._store, request.options, request.models)
        found = find_inputs(
            request.given,
            out=request.out,
            on_progress=lambda done, total: audience.progress("Searching", done, total),
        )
        self._inputs = found.inputs
        notes = enrol(
            self._store,
            found.inputs,
            self._folders,
            retry_failed=request.retry_failed,
            on_progress=lambda done, total: audience.progress("Checking", done, total),
        )
        for line in (*_notes(found), *notes):
            audience.note(line)
        self._segment(connect, own=own)

    def close(self) -> Ended:
        """Write the table, and say how the jobs stand."""
        self._folders.close()
        jobs = self._store.jobs()
        shown = {key: given.shown for key, given in self._inputs.items()}
        names = shown if self._request.keep_names else None
        write_table(self._request.out / TABLE, jobs, names=names)
        of_inputs = [job for job in jobs if job.key in self._inputs]
        return Ended(self._inputs, tuple(of_inputs))

    def _segment(self, connect: Connect, *, own: bool) -> None:
        waiting = [job.key for job in self._store.jobs() if job.state is State.WAITING]
        inputs = [self._inputs[key] for key in waiting if key in self._inputs]
        modalities = {given.modality for given in inputs if given.modality is not None}
        named = self._request.models
        model = only_model(named, modalities)
        with Connection(lambda: connect(model), own=own, wait_s=self._request.wait_s) as connection:
            models = models_of(connection.client(), named, modalities) if modalities else {}
            plan = Plan(self._inputs, self._request.options, models, self._request.keep_names)
            run = Run(plan, self._store, self._folders, connection, on_end=self._told)
            self._show_progress()
            run.to_the_end(parallel=self._request.parallel)

    def _told(self, given: BatchInput, state: State, text: str) -> None:
        self._audience.ended(given, state, text)
        self._show_progress()

    def _show_progress(self) -> None:
        counts = self._store.counts(among=self._inputs)
        ended = counts[State.DONE] + counts[State.FAILED]
        self._audience.progress("Segmenting", ended, len(self._inputs))


@contextmanager
def opened(request: Request, audience: Audience) -> Iterator[Session]:
    """Hold the batch's folder.

    Raises:
        InputNotFoundError: An input does not exist.
        JobStoreHeldError: Another process works with the folder.
        OutputError: The folder cannot be made, or its store is damaged or none.
    """
    check_exist(request.given)
    try:
        request.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder of the batch cannot be made: {error.strerror}") from error
    with JobStore(request.out / STORE) as store:
        yield Session(request, store, audience)


def _notes(found: Found) -> Iterator[str]:
    if found.passed_over:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(found.passed_over.items()))
        yield f"passed over series that are neither CT study nor bone scan: {kinds}"
    if found.copies:
        yield f"{found.copies} inputs are copies of others, and are segmented once"
    if found.copied_images:
        yield f"{found.copied_images} DICOM files are copies of others, and count once"
