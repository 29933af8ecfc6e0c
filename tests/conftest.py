"""Fixtures that every test package shares."""

from __future__ import annotations

from pathlib import Path

import pytest

#: How often each fault is brought about, by itself and with ``--faults``.
FEW, MANY = 2, 50


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--faults",
        action="store_true",
        help=f"bring about each fault {MANY} times instead of {FEW}, and run those marked faults",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--faults"):
        return
    for item in items:
        if item.get_closest_marker("faults"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: make test-faults"))


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
