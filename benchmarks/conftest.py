"""Every saved run of pytest-benchmark says of which machine it is, and of what."""

from __future__ import annotations

from typing import Any

import pytest

from osteoserve_benchmarks.comparison.saved import SECTION
from osteoserve_benchmarks.machine import Machine, versions

_MACHINE = pytest.StashKey[Machine]()


def pytest_configure(config: pytest.Config) -> None:
    # Now, for later the load would be our own.
    config.stash[_MACHINE] = Machine.here()


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    output_json[SECTION] = {
        "machine": config.stash[_MACHINE].document(),
        "versions": versions(),
    }
