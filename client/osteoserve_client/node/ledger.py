"""Jobs by series: what the store holds, as the node asks for it.

A job's key is its series and a number; a later job of a series takes the place of the earlier ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from time import time

from osteoserve_client.jobs import Job, JobStore
from osteoserve_client.node.instances import SeriesKey
from osteoserve_client.study import Json


class Outcome(StrEnum):
    """What became of a job that is done."""

    SENT = "sent"
    SUPERSEDED = "superseded"
    DRY_RUN = "dry run"


@dataclass(frozen=True)
class Task:
    """A job, as the node understands it.

    Args:
        job: The store's.
    """

    job: Job

    @property
    def key(self) -> str:
        """Of the job, and the name of its folder."""
        return self.job.key

    @property
    def series(self) -> SeriesKey:
        """What it segments."""
        return SeriesKey.parsed(str(self.job.payload["series"]))

    @property
    def instances(self) -> frozenset[str]:
        """Digests of what it segments."""
        return frozenset(_texts(self.job.payload["instances"]))

    @property
    def refusal(self) -> str:
        """Why it must not be segmented; empty where nothing speaks against it."""
        return str(self.job.payload["refusal"])

    @property
    def outcome(self) -> str:
        """What became of it; empty where it is not done."""
        return str(self.job.result.get("outcome", ""))

    @property
    def sent(self) -> frozenset[str]:
        """Where its masks have been sent already."""
        return frozenset(self._noted("sent"))

    @property
    def masks(self) -> tuple[str, ...]:
        """Segmentation objects that were made, by their paths in the folder of the results."""
        return self._noted("masks")

    @property
    def since(self) -> float:
        """When it was made, or done again; seconds since 1970, UTC."""
        return float(str(self.job.payload["since"]))

    def _noted(self, what: str) -> tuple[str, ...]:
        return _texts((self.job.checkpoint or self.job.payload).get(what, []))


class Ledger:
    """The node's jobs.

    Args:
        store: Where they are.
    """

    def __init__(self, store: JobStore) -> None:
        self.store = store
        self._keys: dict[str, list[str]] = defaultdict(list)
        for job in store.jobs():
            self._keys[str(job.payload["series"])].append(job.key)

    def of(self, series: SeriesKey) -> list[Task]:
        """Jobs of a series, in the order in which they were made."""
        found = (self.store.get(key) for key in tuple(self._keys.get(str(series), ())))
        return [Task(job) for job in found if job is not None]

    def all(self) -> Iterator[Task]:
        """Every job."""
        for job in self.store.jobs():
            yield Task(job)

    def next_key(self, series: SeriesKey) -> str:
        """For a job that is to be made."""
        keys = self._keys.get(str(series), [])
        last = int(keys[-1].rpartition("-")[2]) if keys else 0
        return f"{series}-{last + 1}"

    def get(self, key: str) -> Task | None:
        """One job; None where there is none of that key."""
        job = self.store.get(key)
        return None if job is None else Task(job)

    def add(self, key: str, series: SeriesKey, names: Collection[str], *, refusal: str) -> None:
        """Make a job."""
        payload: dict[str, Json] = {
            "series": str(series),
            "instances": [*sorted(names)],
            "refusal": refusal,
            "since": time(),
        }
        self.store.add(key, payload)
        if key not in self._keys[str(series)]:
            self._keys[str(series)].append(key)

    def is_superseded(self, task: Task) -> bool:
        """Whether a later job of the same series has taken its place."""
        return self._keys[str(task.series)][-1] != task.key

    def again(self, task: Task, *, refusal: str) -> bool:
        """Have a job done again; what it has done already stays.

        Args:
            task: Which.
            refusal: What speaks against it now; empty where nothing does.
        """
        payload = dict(task.job.payload) | {"refusal": refusal, "since": time()}
        payload |= {"masks": [*task.masks], "sent": [*task.sent]}
        return self.store.again(task.key, payload=payload)

    def forget(self, task: Task) -> None:
        """Know nothing any more of a job that has ended."""
        if self.store.forget(task.key):
            self._keys[str(task.series)].remove(task.key)
            if not self._keys[str(task.series)]:
                del self._keys[str(task.series)]


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
