"""The node as a whole: its parts, their threads, and their end."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence
from time import monotonic, sleep

from osteoserve_client.errors import JobStoreError, NodeError
from osteoserve_client.jobs import JobStore
from osteoserve_client.node.associations import Associations
from osteoserve_client.node.destinations import Destination
from osteoserve_client.node.durable import make_folder
from osteoserve_client.node.events import event, warn
from osteoserve_client.node.failures import told
from osteoserve_client.node.housekeeping import Housekeeping
from osteoserve_client.node.intake import Intake
from osteoserve_client.node.ledger import Ledger
from osteoserve_client.node.masks import Masks
from osteoserve_client.node.receiver import Receiver
from osteoserve_client.node.settings import NodeSettings
from osteoserve_client.node.spool import Spool
from osteoserve_client.node.work import Work
from osteoserve_client.reading.discretion import silenced_libraries

#: The jobs, in the folder of the spool.
STORE_NAME = "jobs.sqlite"

#: How often what was received, and what waits, is looked at, seconds.
_TICK_S = 0.25


def run(
    settings: NodeSettings,
    masks: Masks,
    destinations: Sequence[Destination],
    *,
    stop: threading.Event,
) -> None:
    """Run a node until it is told to stop, and let it drain.

    Args:
        settings: How.
        masks: Makes the segmentation objects.
        destinations: Where they go.
        stop: Set by whoever wants it to end.

    Raises:
        UsageError: Spool or TLS cannot be used.
        JobStoreError: The jobs cannot be read, or another node works on them.
        NodeError: One of its threads failed.
    """
    make_folder(settings.spool)
    # For all threads and for good: what libraries warn of may quote a patient's data.
    with (
        silenced_libraries(),
        warnings.catch_warnings(),
        JobStore(settings.spool / STORE_NAME) as store,
    ):
        warnings.simplefilter("ignore")
        threading.excepthook = _told_of_thread
        Node(settings, store, masks, destinations, stop).run()


class Node:
    """The parts, put together.

    Args:
        settings: How it runs.
        store: Its jobs.
        masks: Makes the segmentation objects.
        destinations: Where they go.
        stop: Set by whoever wants it to end.
    """

    def __init__(
        self,
        settings: NodeSettings,
        store: JobStore,
        masks: Masks,
        destinations: Sequence[Destination],
        stop: threading.Event,
    ) -> None:
        self._settings, self._masks, self._stop = settings, masks, stop
        # Nothing is silent for longer than this and then goes on.
        self._spool = Spool(settings.spool, abandoned_s=2 * settings.bounds.idle_s)
        self._associations = Associations()
        ledger, patience = Ledger(store), settings.patience
        self._intake = Intake(self._spool, ledger, self._associations, patience)
        self._housekeeping = Housekeeping(settings.spool, self._spool, ledger, patience)
        self._work = Work(
            ledger,
            self._spool,
            masks,
            destinations,
            patience=patience,
            dry_run=settings.dry_run,
            stop=stop,
        )
        self._failed = ""

    def run(self) -> None:
        """See the function `run`."""
        settings = self._settings
        receiver = Receiver(settings, self._spool, self._associations)
        event("listening", aet=settings.ae_title, host=settings.host, port=receiver.port)
        looking = self._thread("intake", self._look)
        working = [self._thread("work", self._step) for _ in range(settings.workers)]
        self._stop.wait()
        event("stopping")
        until = monotonic() + settings.patience.drain_s
        receiver.stop_listening()
        looking.join()
        while self._associations.living() and monotonic() < until and not self._failed:
            self._tolerantly(self._intake.look)
            sleep(_TICK_S)
        receiver.abort_all()
        self._tolerantly(self._intake.look)
        for thread in working:
            thread.join(max(0.0, until - monotonic()))
        left = sum(thread.is_alive() for thread in working)
        self._masks.close()
        if self._failed:
            raise NodeError(self._failed)
        event("stopped", interrupted=left)

    def _look(self) -> bool:
        self._intake.look()
        self._housekeeping.sweep()
        return False

    def _step(self) -> bool:
        return self._work.step()

    def _thread(self, name: str, step: Callable[[], bool]) -> threading.Thread:
        thread = threading.Thread(target=self._repeat, args=(name, step), name=name, daemon=True)
        thread.start()
        return thread

    def _repeat(self, name: str, step: Callable[[], bool]) -> None:
        try:
            while not self._stop.is_set():
                if not self._tolerantly(step):
                    self._stop.wait(_TICK_S)
        except Exception as error:  # noqa: BLE001 - a thread must not end unnoticed
            # A node that only looks alive would take what it never works on: end it, loudly.
            self._failed = f"{name} failed: {told(error)}"
            warn("broken", part=name, why=told(error))
            self._stop.set()

    def _tolerantly(self, step: Callable[[], bool | None]) -> bool:
        """Whether a step had something to do; where the disk is full, it is tried again."""
        try:
            return bool(step())
        except (JobStoreError, OSError) as error:
            warn("disk", why=told(error))
            self._stop.wait(1.0)
            return False


def _told_of_thread(what: threading.ExceptHookArgs) -> None:
    """In place of a traceback, which may quote what a peer sent."""
    warn("thread", why=f"unexpected {what.exc_type.__name__}")
