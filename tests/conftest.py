"""Fixtures that every test package shares."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

#: How often each fault is brought about, by itself and with ``--faults``.
FEW, MANY = 2, 50

# Threads that share one small network wait for each other, which on a busy machine takes most of
# the time: training in the tests took four times as long with two threads as with one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes says how busy the machine is, and nothing about a law.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

# A shell starts what it puts into the background with SIGINT ignored, and whatever that starts
# inherits it: commands under test could not be interrupted.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--faults",
        action="store_true",
        help=f"bring about each fault {MANY} times instead of {FEW}, and run those marked faults",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        from tests.workers import begin_with_slow_folders

        begin_with_slow_folders(items)
    if config.getoption("--faults"):
        return
    for item in items:
        if item.get_closest_marker("faults"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: make test-faults"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """How pytest-xdist deals tests out, where it is asked to."""
    from tests.workers import ByFolder

    return ByFolder(config, log)


@pytest.fixture(scope="session")
def rounds(request: pytest.FixtureRequest) -> int:
    """How often a test is to bring about its fault."""
    return MANY if request.config.getoption("--faults") else FEW


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real scans beside the checkout; skips where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(
            "real scans absent: put the folder 'shared/data' beside the checkout "
            "(docs/data.md says what it holds and where each scan comes from)"
        )
    return folder
