"""Whatever is done with a store, and however often it is left, it stands as a dict would."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from osteoserve_client.jobs import JobStore, State


class Store(RuleBasedStateMachine):
    """The store, beside a dict of what its jobs should be."""

    keys = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.now = 1000.0
        #: state, attempts, interruptions, not_before
        self.model: dict[str, tuple[State, int, int, float]] = {}

    @initialize()
    def begin(self) -> None:
        self._open()

    def _open(self) -> None:
        self.store = JobStore(self.folder / "jobs.sqlite", clock=lambda: self.now)

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    @rule(target=keys, key=st.text("abc\N{SNOWMAN}", min_size=1, max_size=2))
    def add(self, key: str) -> str:
        assert self.store.add(key, {"key": key}) == (key not in self.model)
        self.model.setdefault(key, (State.WAITING, 0, 0, 0.0))
        return key

    @rule(seconds=st.integers(0, 20))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def claim(self) -> None:
        job = self.store.claim()
        due = {
            key: (interruptions, not_before)
            for key, (state, _, interruptions, not_before) in self.model.items()
            if state is State.WAITING and not_before <= self.now
        }
        if job is None:
            assert not due
            return
        assert due[job.key] == min(due.values())
        _, attempts, interruptions, not_before = self.model[job.key]
        self.model[job.key] = (State.RUNNING, attempts + 1, interruptions, not_before)
        assert job.attempts == attempts + 1
        assert job.payload == {"key": job.key}

    @rule(key=keys, how=st.sampled_from(["finish", "fail", "later", "release"]))
    def end(self, key: str, how: str) -> None:
        state, attempts, interruptions, not_before = self.model[key]
        ends = {
            "finish": lambda: self.store.finish(key, digests={"a": key}),
            "fail": lambda: self.store.fail(key, "no"),
            "later": lambda: self.store.fail(key, "no", retry_at=self.now + 10),
            "release": lambda: self.store.release(key),
        }
        if state is not State.RUNNING:
            try:
                ends[how]()
            except ValueError:
                return
            raise AssertionError("a job ended that did not run")
        ends[how]()
        self.model[key] = {
            "finish": (State.DONE, attempts, interruptions, not_before),
            "fail": (State.FAILED, attempts, interruptions, 0.0),
            "later": (State.WAITING, attempts, interruptions, self.now + 10),
            "release": (State.WAITING, attempts - 1, interruptions, 0.0),
        }[how]

    @rule(key=keys)
    def again(self, key: str) -> None:
        runs = self.model[key][0] is State.RUNNING
        assert self.store.again(key) != runs
        if not runs:
            self.model[key] = (State.WAITING, 0, 0, 0.0)

    @rule()
    def leave_and_open_again(self) -> None:
        self.store.close()
        self._open()
        for key, (state, attempts, interruptions, _) in self.model.items():
            if state is State.RUNNING:
                self.model[key] = (State.WAITING, attempts - 1, interruptions + 1, 0.0)

    @invariant()
    def stands_as_it_should(self) -> None:
        found = {
            job.key: (job.state, job.attempts, job.interruptions, job.not_before)
            for job in self.store.jobs()
        }
        assert found == self.model
        states = [state for state, *_ in self.model.values()]
        assert self.store.counts() == {state: states.count(state) for state in State}


TestStore = Store.TestCase
TestStore.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
