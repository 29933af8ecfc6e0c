"""From instances to jobs: when a series is complete, and what is to be done with it.

DICOM does not say how many instances a series has. A series is taken for complete when nothing has
come for a while, its sender has ended the association as it should, and none of its instances was
refused. Whether its slices are whole is for the reader to say.
"""

from __future__ import annotations

from collections.abc import Collection

from osteoserve_client.jobs import State
from osteoserve_client.node.associations import Associations, Visit
from osteoserve_client.node.events import event, warn
from osteoserve_client.node.instances import SeriesKey, part_of
from osteoserve_client.node.ledger import Ledger, Outcome, Task
from osteoserve_client.node.settings import Patience
from osteoserve_client.node.spool import Spool, names_in

BROKEN_OFF = (
    "the sender broke off, or an instance was refused, and nobody has sent the rest: "
    "send the series again"
)


class Intake:
    """Looks after what was received.

    Args:
        spool: Where it is.
        ledger: Where jobs go.
        associations: Who brings it.
        patience: How long to wait.
    """

    def __init__(
        self, spool: Spool, ledger: Ledger, associations: Associations, patience: Patience
    ) -> None:
        self._spool, self._ledger = spool, ledger
        self._associations, self._patience = associations, patience

    def look(self) -> None:
        """Note which associations have ended, and make jobs of what is complete."""
        # First those whose folders were made just before the node was killed, or the disk full.
        self._adopt()
        for visit in self._associations.ended():
            self._end(visit)
        living = self._associations.living()
        for series in list(self._spool.received()):
            held = self._is_held(series, living)
            patience = self._patience.broken_off_s if held else self._patience.settle_s
            arriving = self._patience.release and self._spool.is_arriving(series, living=living)
            if not arriving and self._spool.quiet_s(series) >= patience:
                self._settle(series)
        self._adopt()

    def _end(self, visit: Visit) -> None:
        whole = visit.released and visit.whole
        if whole:
            for study in {series.study for series in visit.series}:
                self._spool.released(study, living=self._associations.living())
        (event if whole else warn)(
            "association",
            caller=visit.caller,
            address=visit.address,
            ended="released" if visit.released else "broken off",
            instances=sum(visit.series.values()),
            new=visit.new,
            refused=visit.refused,
            series=",".join(sorted(map(str, visit.series))) or "-",
        )

    def _is_held(self, series: SeriesKey, living: Collection[str]) -> bool:
        if self._spool.lacks_any(series):
            return True
        return self._patience.release and self._spool.is_broken_off(series, living=living)

    def _settle(self, series: SeriesKey) -> None:
        names = self._spool.names(series)
        earlier = self._ledger.of(series)
        if not names or self._is_covered(names, earlier):
            self._came_again(series, names, earlier)
            return
        for task in earlier:
            if task.outcome != Outcome.SENT or _share_series(names, task.instances):
                self._spool.add_from(series, task.key)
        names = self._spool.names(series)
        self._spool.take(series, self._ledger.next_key(series), names)

    def _is_covered(self, names: frozenset[str], earlier: list[Task]) -> bool:
        """Whether jobs stand for all of these instances already."""
        if not earlier:
            return False
        last = earlier[-1]
        if last.job.state is State.FAILED:
            return names <= last.instances and self._spool.input_of(last.key).is_dir()
        standing = [task.instances for task in earlier if _stands(task)]
        return names <= frozenset[str]().union(*standing)

    def _came_again(self, series: SeriesKey, names: frozenset[str], earlier: list[Task]) -> None:
        """Drop what is known: a sender tried again, or a rule forwards what was forwarded."""
        held = self._is_held(series, self._associations.living())
        self._spool.discard(series, names)
        if not names:
            return
        last = earlier[-1]
        event("again", series=series, job=last.key, state=last.job.state, instances=len(names))
        if last.job.state is State.FAILED and not held:
            self._ledger.again(last, refusal=_late(last.instances, earlier))

    def _adopt(self) -> None:
        """Make jobs of the folders that were taken for them."""
        for key in self._spool.jobs():
            if self._ledger.get(key):
                continue
            folder = self._spool.input_of(key)
            if not folder.is_dir():
                self._spool.delete_job(key)
                continue
            series, names = SeriesKey.parsed(key.rpartition("-")[0]), names_in(folder)
            earlier = self._ledger.of(series)
            held = self._spool.job_is_held(key, release=self._patience.release)
            refusal = _late(names, earlier) or (BROKEN_OFF if held else "")
            self._ledger.add(key, series, names, refusal=refusal)
            event("job", job=key, instances=len(names), earlier=len(earlier))
            for task in earlier:
                # It is claimed once more, and found to be superseded.
                if task.job.state is State.FAILED:
                    self._ledger.again(task, refusal="")


def _stands(task: Task) -> bool:
    return task.outcome == Outcome.SENT or task.job.state in (State.WAITING, State.RUNNING)


def _share_series(some: Collection[str], others: Collection[str]) -> bool:
    """Whether instances are of one series; a study may hold several bone scans."""
    return not {part_of(name) for name in some}.isdisjoint(part_of(name) for name in others)


def _late(names: Collection[str], earlier: list[Task]) -> str:
    """Why what is there is less than what was segmented before; empty where it is not."""
    parts = {part_of(name) for name in names}
    segmented = {
        name
        for task in earlier
        if task.outcome == Outcome.SENT
        for name in task.instances
        if part_of(name) in parts
    }
    gone = segmented.difference(names)
    if not gone:
        return ""
    return (
        f"{len(names)} instances came after {len(gone)} others of the series were segmented and "
        "deleted: send the whole series again"
    )
