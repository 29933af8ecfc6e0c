"""What the node remembers of its jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from osteoserve_client.jobs import JobStore, State
from osteoserve_client.node.instances import SeriesKey, digest, part_of
from osteoserve_client.node.ledger import Ledger, Outcome

SERIES = SeriesKey(digest("1.2"), digest("1.2.3"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    with JobStore(tmp_path / "jobs.sqlite") as opened:
        yield opened


def added(ledger: Ledger, *names: str) -> str:
    key = ledger.next_key(SERIES)
    ledger.add(key, SERIES, names, refusal="")
    return key


def test_a_key_is_its_series() -> None:
    assert SeriesKey.parsed(str(SERIES)) == SERIES
    assert not SERIES.nuclear


def test_the_last_job_of_a_series_stands_for_it(store: JobStore) -> None:
    ledger = Ledger(store)
    first, second = added(ledger, "a"), added(ledger, "a", "b")
    assert first != second
    assert [task.key for task in ledger.of(SERIES)] == [first, second]
    assert [ledger.is_superseded(task) for task in ledger.of(SERIES)] == [True, False]
    again = Ledger(store)
    assert [task.key for task in again.of(SERIES)] == [first, second], "after a restart"
    assert [task.instances for task in again.of(SERIES)] == [{"a"}, {"a", "b"}]


def test_doing_a_job_again_forgets_nothing_that_was_sent(store: JobStore) -> None:
    ledger = Ledger(store)
    key = added(ledger, "a")
    store.claim()
    store.note(key, {"masks": ["0/mask.seg.dcm"], "sent": ["MY PACS@host:104"]})
    store.fail(key, "the other archive does not answer")
    (task,) = ledger.of(SERIES)
    assert ledger.again(task, refusal="")
    (task,) = ledger.of(SERIES)
    assert task.job.state is State.WAITING
    assert (task.masks, task.sent) == (("0/mask.seg.dcm",), {"MY PACS@host:104"})


def test_only_what_is_over_can_be_forgotten(store: JobStore) -> None:
    ledger = Ledger(store)
    key = added(ledger, "a")
    (task,) = ledger.of(SERIES)
    ledger.forget(task)
    assert ledger.get(key), "it waits"
    store.claim()
    ledger.forget(task)
    assert ledger.get(key), "it runs"
    store.finish(key, result={"outcome": Outcome.SENT})
    ledger.forget(task)
    assert ledger.of(SERIES) == []
    assert store.jobs() == ()


def test_bone_scans_of_a_study_are_told_apart_by_their_names() -> None:
    assert part_of(digest("1.2.3")) == ""
    assert part_of(digest("1.2.3") + digest("1.2.3.4")) == digest("1.2.3")
