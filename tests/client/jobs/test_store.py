"""Laws of the job store."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from osteoserve_client.errors import JobStoreError, OsteoserveError
from osteoserve_client.jobs import JobStore, State, delay_s
from osteoserve_client.jobs.schema import VERSION


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.sqlite"


def test_a_job_is_begun_once_however_many_ask(path: Path) -> None:
    with JobStore(path) as store, ThreadPoolExecutor(8) as pool:
        keys = [str(number) for number in range(40)]
        assert all(pool.map(lambda key: store.add(key, {}), keys))
        assert not any(pool.map(lambda key: store.add(key, {}), keys))
        claimed = [job.key for job in pool.map(lambda _: store.claim(), keys) if job]
        assert sorted(claimed) == sorted(keys)
        assert store.claim() is None


def test_what_was_left_in_the_middle_waits_again_behind_what_was_not(path: Path) -> None:
    with JobStore(path) as store:
        store.add("first", {})
        store.add("second", {})
        job = store.claim()
        assert job is not None
        assert job.key == "first"
        store.note("first", {"written": 3})
    with JobStore(path) as store:
        turns = [store.claim(), store.claim()]
        assert [job.key for job in turns if job] == ["second", "first"]
        first = store.get("first")
        assert first is not None
        assert (first.attempts, first.interruptions) == (1, 1)
        assert first.checkpoint == {"written": 3}


def test_only_the_keys_that_are_asked_for_are_begun(path: Path) -> None:
    with JobStore(path) as store:
        for key in ("a", "b", "c"):
            store.add(key, {})
        assert store.claim(among=[]) is None
        job = store.claim(among=["c", "z"])
        assert job is not None
        assert job.key == "c"
        assert store.counts(among=["a", "c"])[State.WAITING] == 1
        assert store.next_due(among=["c"]) is None


def test_a_job_is_not_begun_before_its_time(path: Path) -> None:
    now = [1000.0]
    with JobStore(path, clock=lambda: now[0]) as store:
        store.add("job", {})
        store.claim()
        store.fail("job", "the service is busy", kind="ServiceBusyError", retry_at=1002.0)
        assert store.claim() is None
        assert store.next_due() == 1002.0
        now[0] = 1002.0
        job = store.claim()
        assert job is not None
        assert (job.attempts, job.error) == (2, "the service is busy")


def test_only_a_running_job_can_end(path: Path) -> None:
    with JobStore(path) as store:
        store.add("job", {})
        for end in (store.finish, store.release, lambda key: store.fail(key, "no")):
            with pytest.raises(ValueError, match="does not run"):
                end("job")


def test_an_error_of_several_lines_is_none(path: Path) -> None:
    with JobStore(path) as store:
        store.add("job", {})
        store.claim()
        with pytest.raises(ValueError, match="one line"):
            store.fail("job", "one\ntwo")


def test_what_was_settled_first_stays(path: Path) -> None:
    with JobStore(path) as store:
        assert store.settled("options", {"clip": True}) == {"clip": True}
    with JobStore(path) as store:
        assert store.settled("options", {"clip": False}) == {"clip": True}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"no database " * 500),
        lambda path: path.write_bytes(path.read_bytes()[:-2048] + bytes(2048)),
        lambda path: path.write_bytes(path.read_bytes()[:3000]),
        lambda path: _execute(path, f"PRAGMA user_version = {VERSION + 1}"),
        lambda path: _execute(path, "PRAGMA application_id = 1"),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["no database", "overwritten", "truncated", "another version", "another program", "folder"],
)
def test_what_is_no_sound_store_is_refused_in_one_line(path: Path, spoil) -> None:
    with JobStore(path) as store:
        for number in range(50):
            store.add(str(number), {"filling": "x" * 100})
    spoil(path)
    with pytest.raises(JobStoreError, match=path.name) as refusal:
        JobStore(path)
    assert len(str(refusal.value).splitlines()) == 1
    assert isinstance(refusal.value, OsteoserveError)
    if path.is_file():
        with pytest.raises(JobStoreError):
            JobStore(path)


def _execute(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.close()


def test_delays_double_up_to_a_limit() -> None:
    delays = [delay_s(attempts) for attempts in (1, 2, 3, 7, 100, 10**6)]
    assert delays == [1, 2, 4, 60, 60, 60]
