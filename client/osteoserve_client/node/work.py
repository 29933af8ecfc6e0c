"""One job after the other: segmented, sent, done; or tried again; or failed, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event
from time import monotonic, time

from osteoserve_client.errors import (
    DeliveryError,
    DeliveryRefusedError,
    IncompleteSeriesError,
    InputNotFoundError,
    JobStoreError,
)
from osteoserve_client.node.destinations import Destination
from osteoserve_client.node.events import event, warn
from osteoserve_client.node.failures import LateInstancesError, pause_s, told
from osteoserve_client.node.ledger import Ledger, Outcome, Task
from osteoserve_client.node.masks import Masks
from osteoserve_client.node.settings import Patience
from osteoserve_client.node.spool import Spool

#: Between attempts to write to a store whose disk is full, seconds.
STORE_PAUSE_S = 2.0


class Work:
    """Does jobs; one object for all threads.

    Args:
        ledger: Where jobs are.
        spool: Where their files are.
        masks: Makes the segmentation objects.
        destinations: Where these go.
        patience: How long to go on trying.
        dry_run: Read only, and say what would be done.
        stop: Set when the node is to end.
    """

    def __init__(
        self,
        ledger: Ledger,
        spool: Spool,
        masks: Masks,
        destinations: Sequence[Destination],
        *,
        patience: Patience,
        dry_run: bool,
        stop: Event,
    ) -> None:
        self._ledger, self._spool, self._masks = ledger, spool, masks
        self._destinations, self._patience, self._dry_run = destinations, patience, dry_run
        self._stop = stop

    def step(self) -> bool:
        """Do the job whose turn it is.

        Returns:
            Whether there was one.
        """
        job = self._ledger.store.claim()
        if job is None:
            return False
        self._do(Task(job))
        return True

    def _do(self, task: Task) -> None:
        begun = monotonic()
        try:
            outcome = self._outcome(task)
        except Exception as error:  # noqa: BLE001 - a job's failure is not the node's
            self._failed(task, error)
            return
        self._keep(lambda: self._ledger.store.finish(task.key, result={"outcome": outcome}))
        event("done", job=task.key, outcome=outcome, seconds=monotonic() - begun)

    def _outcome(self, task: Task) -> Outcome:
        if self._ledger.is_superseded(task):
            return Outcome.SUPERSEDED
        if task.refusal:
            raise IncompleteSeriesError(task.refusal)
        if not self._spool.input_of(task.key).is_dir():
            raise InputNotFoundError("the data of this job were deleted: send the series again")
        if self._dry_run:
            return self._would(task)
        return self._sent(task, task.masks or self._made(task))

    def _sent(self, task: Task, masks: Sequence[str]) -> Outcome:
        """Send the masks to whoever lacks them; one that does not take them holds up no other."""
        sent, failures = set(task.sent), list[DeliveryError]()
        for destination in self._destinations:
            if destination.name in sent:
                continue
            if self._ledger.is_superseded(task):
                return Outcome.SUPERSEDED
            self._check_nothing_came(task)
            try:
                for mask in masks:
                    destination.send(self._spool.result_of(task.key) / mask)
            except DeliveryError as error:
                failures.append(error)
                continue
            sent.add(destination.name)
            self._note(task, masks, sent)
            event("sent", job=task.key, to=destination.name, masks=len(masks))
        if failures:
            # What may pass is tried again for longer than what was refused.
            raise min(failures, key=lambda each: isinstance(each, DeliveryRefusedError))
        return Outcome.SENT

    def _made(self, task: Task) -> tuple[str, ...]:
        begun = monotonic()
        folder, result = self._spool.input_of(task.key), self._spool.result_of(task.key)
        masks = self._masks.make(folder, result, nuclear=task.series.nuclear)
        self._spool.measure()
        # From here on the masks keep their UIDs: whoever receives one twice knows it.
        self._note(task, masks, task.sent)
        event("segmented", job=task.key, masks=len(masks), seconds=monotonic() - begun)
        return masks

    def _would(self, task: Task) -> Outcome:
        folder = self._spool.input_of(task.key)
        for read in self._masks.read(folder, nuclear=task.series.nuclear):
            event(
                "would",
                job=task.key,
                modality=read.modality,
                ask=read.model,
                send=",".join(each.name for each in self._destinations) or "-",
            )
        return Outcome.DRY_RUN

    def _check_nothing_came(self, task: Task) -> None:
        """A mask of a part of a series looks right: none is sent while more of it is coming."""
        late = self._spool.names(task.series) - task.instances
        if late:
            raise LateInstancesError(f"{len(late)} more instances of the series have come")

    def _note(self, task: Task, masks: Sequence[str], sent: set[str] | frozenset[str]) -> None:
        self._ledger.store.note(task.key, {"masks": [*masks], "sent": [*sorted(sent)]})

    def _failed(self, task: Task, error: Exception) -> None:
        pause, why = pause_s(error, task, self._patience), told(error)
        kind = type(error).__name__
        retry_at = None if pause is None else time() + pause
        self._keep(lambda: self._ledger.store.fail(task.key, why, kind=kind, retry_at=retry_at))
        if pause is None:
            warn("failed", job=task.key, kind=kind, why=why)
        else:
            warn("waits", job=task.key, attempt=task.job.attempts, seconds=pause, why=why)

    def _keep(self, change: Callable[[], None]) -> None:
        """Have the end of a job on the disk; while that is full, nothing else could be begun."""
        while True:
            try:
                change()
            except JobStoreError as error:
                warn("store", why=told(error))
                if self._stop.wait(STORE_PAUSE_S):
                    # The job is found running at the next start, and done again from there.
                    return
            else:
                return
