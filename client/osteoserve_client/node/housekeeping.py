"""What is deleted when, and what the operator asked for."""

from __future__ import annotations

from pathlib import Path
from time import time
from typing import Final

from osteoserve_client.durable import sync
from osteoserve_client.jobs import State
from osteoserve_client.node.durable import make_folder
from osteoserve_client.node.events import event, warn
from osteoserve_client.node.ledger import Ledger, Task
from osteoserve_client.node.settings import Patience
from osteoserve_client.node.spool import Spool

#: What can be asked of a node, while it runs or before it starts: a file each, by verb and job.
VERBS: Final = ("retry", "forget")

#: How often jobs that may be forgotten are looked for, seconds.
_FORGET_EVERY_S = 3600.0


class Housekeeping:
    """Deletes what is over.

    Args:
        root: Folder of the spool.
        spool: The same.
        ledger: Its jobs.
        patience: How long to keep.
    """

    def __init__(self, root: Path, spool: Spool, ledger: Ledger, patience: Patience) -> None:
        self._requests = requests_of(root)
        self._spool, self._ledger, self._patience = spool, ledger, patience
        self._forgotten = 0.0
        make_folder(self._requests)

    def sweep(self) -> None:
        """Do what is due."""
        self._spool.sweep_incoming()
        for path in sorted(self._requests.iterdir()):
            verb, _, key = path.name.partition(" ")
            self._obey(verb, key)
            path.unlink()
        for key in self._spool.jobs():
            task = self._ledger.get(key)
            if task is not None and self._is_over(task, self._kept_s(task)):
                self._spool.delete_job(key)
                event("deleted", job=key)
        if time() - self._forgotten > _FORGET_EVERY_S:
            self._forgotten = time()
            for task in list(self._ledger.all()):
                if self._is_over(task, self._patience.remember_s):
                    self._forget(task)

    def _obey(self, verb: str, key: str) -> None:
        task = self._ledger.get(key)
        state = task.job.state if task else None
        if task and verb == "forget" and state in (State.DONE, State.FAILED):
            self._forget(task)
        elif task and verb == "retry" and state in (State.FAILED, State.WAITING):
            self._ledger.again(task, refusal="")
            event("request", verb=verb, job=key)
        else:
            warn("request", verb=verb, why="there is no such job, or it is not failed or over")

    def _kept_s(self, task: Task) -> float:
        failed = task.job.state is State.FAILED
        return self._patience.keep_failed_s if failed else self._patience.keep_s

    def _is_over(self, task: Task, kept_s: float) -> bool:
        return task.job.ended is not None and task.job.ended + kept_s <= time()

    def _forget(self, task: Task) -> None:
        # The folder first: one without its job would be made a job of again.
        self._spool.delete_job(task.key)
        self._ledger.forget(task)
        event("forgotten", job=task.key)


def requests_of(root: Path) -> Path:
    """Where what is asked of a node waits."""
    return root / "requests"


def ask(root: Path, verb: str, key: str) -> None:
    """Ask something of a node; it does so within a second, or when it starts.

    Args:
        root: Folder of its spool.
        verb: One of `VERBS`.
        key: Of the job.

    Raises:
        OSError: It could not be written.
    """
    make_folder(requests_of(root))
    (requests_of(root) / f"{verb} {key}").touch()
    sync(requests_of(root))
