"""Does the jobs: reading and writing one at a time, and several requests under way meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Event, Lock

from osteoserve_client.batch.candidates import BatchInput
from osteoserve_client.batch.connection import Connection
from osteoserve_client.batch.discretion import without_names
from osteoserve_client.batch.folders import Folders
from osteoserve_client.batch.outcome import Outcome
from osteoserve_client.batch.verdict import Verdict, WholeBatchError, text_of, verdict_on
from osteoserve_client.errors import OsteoserveError, ServiceRefusedError, ServiceUnavailableError
from osteoserve_client.jobs import Job, JobStore, State, delay_s
from osteoserve_client.segmenting.options import Options
from osteoserve_client.segmenting.scintigram import AnsweredScan, ReadScan
from osteoserve_client.segmenting.volume import AnsweredVolume, ReadVolume
from osteoserve_client.segmenting.whole import read_input

#: How long an idle worker waits before it looks again, seconds.
POLL_S = 0.2

#: Called when an attempt has ended: at what, how the job stands, and what went wrong, for the
#: eyes of whoever named the files.
OnEnd = Callable[[BatchInput, State, str], None]


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Args:
        inputs: By key; their jobs are in the store.
        options: How, the model left open.
        models: Which model to ask, by modality.
        keep_names: Keep names of files in the messages that are stored.
    """

    inputs: Mapping[str, BatchInput]
    options: Options
    models: Mapping[str, str]
    keep_names: bool = False

    def options_for(self, given: BatchInput) -> Options:
        """How to segment one input."""
        return replace(self.options, model=self.models.get(given.modality or ""))

    def discreet(self, line: str, given: BatchInput) -> str:
        """A message as it may be stored."""
        return line if self.keep_names else without_names(line, given.root, given.files)


class Run:
    """One run of a batch.

    Args:
        plan: What is to be done.
        store: The jobs.
        folders: Where outputs appear.
        connection: To the service.
        on_end: Told of every attempt that ends, in the thread of its job.
    """

    def __init__(
        self,
        plan: Plan,
        store: JobStore,
        folders: Folders,
        connection: Connection,
        *,
        on_end: OnEnd,
    ) -> None:
        self._plan = plan
        self._store = store
        self._folders = folders
        self._connection = connection
        self._on_end = on_end
        # Reading and writing silence what libraries print, for the whole process.
        self._local = Lock()
        self._stop = Event()
        self._fatal: Exception | None = None

    def to_the_end(self, *, parallel: int) -> None:
        """Do all jobs that wait.

        An interrupt ends what runs, whose jobs are then as if they had not begun, and passes on.

        Args:
            parallel: Most requests at a time.

        Raises:
            OutputError: An output or the store could not be written.
            ServiceUnavailableError: The service went away and did not come back.
            ServiceRefusedError: It no longer lets the client in, or no longer serves the model.
        """
        # Not bare threads: before Python 3.13 one that is waited for counts as ended when the
        # waiting is interrupted, and would go on writing behind our back (CPython issue 90882).
        with ThreadPoolExecutor(parallel) as workers:
            try:
                wait([workers.submit(self._work) for _ in range(parallel)])
            except BaseException:
                self._end()
                raise
        if self._fatal is not None:
            raise self._fatal

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                job = self._store.claim(among=self._plan.inputs)
                if job is not None:
                    self._do(job)
                elif self._more_may_come():
                    self._stop.wait(POLL_S)
                else:
                    return
        # Of the store, or nobody foresaw it: the main thread raises it.
        except Exception as error:  # noqa: BLE001
            self._end(error)

    def _more_may_come(self) -> bool:
        counts = self._store.counts(among=self._plan.inputs)
        return counts[State.WAITING] + counts[State.RUNNING] > 0

    def _end(self, error: Exception | None = None) -> None:
        self._fatal = self._fatal or error
        self._stop.set()
        self._connection.cancel()

    def _do(self, job: Job) -> None:
        given = self._plan.inputs[job.key]
        try:
            outcome = self._published(job) or self._segmented(job, given)
        # One input must not stop the others, whatever it brings about.
        except Exception as error:  # noqa: BLE001
            self._ended_by(error, job, given)
            return
        document = outcome.document()
        self._store.finish(job.key, digests=document.pop("digests"), result=document)
        self._on_end(given, State.DONE, "")

    def _published(self, job: Job) -> Outcome | None:
        """What an attempt left that was killed between its last two steps."""
        if job.checkpoint is None:
            return None
        outcome = Outcome.read(job.checkpoint)
        with self._local:
            return outcome if outcome.is_intact(self._folders.of(job.key)) else None

    def _segmented(self, job: Job, given: BatchInput) -> Outcome:
        options = self._plan.options_for(given)
        with self._local:
            read = read_input(given.opened(), options, modality=given.modality)
        answered = self._ask(read)
        with self._local:
            segmented = answered.write(self._folders.staged(job.key))
            outcome = Outcome.of(segmented, lambda line: self._plan.discreet(line, given))
        self._store.note(job.key, outcome.document())
        self._folders.publish(job.key)
        return outcome

    def _ask(self, read: ReadVolume | ReadScan) -> AnsweredVolume | AnsweredScan:
        client = self._connection.client()
        try:
            return read.ask(client)
        except ServiceUnavailableError:
            with _of_the_whole_batch(OsteoserveError):
                self._connection.recover(client)
            raise
        except ServiceRefusedError:
            # This input alone, or all that this client will ever ask?
            with _of_the_whole_batch(ServiceRefusedError):
                client.model(read.model)
            raise

    def _ended_by(self, error: Exception, job: Job, given: BatchInput) -> None:
        verdict = verdict_on(error, job.attempts)
        if verdict is Verdict.FATAL and not self._stop.is_set():
            self._end(error.cause if isinstance(error, WholeBatchError) else error)
        if self._stop.is_set():
            self._store.release(job.key)
            return
        later, text = verdict is Verdict.LATER, text_of(error)
        self._store.fail(
            job.key,
            self._plan.discreet(text, given),
            kind=type(error).__name__,
            retry_at=time.time() + delay_s(job.attempts) if later else None,
        )
        self._on_end(given, State.WAITING if later else State.FAILED, text)


@contextmanager
def _of_the_whole_batch(kind: type[OsteoserveError]) -> Iterator[None]:
    """What fails here in this way would fail for every other job."""
    try:
        yield
    except kind as error:
        raise WholeBatchError(error) from error
