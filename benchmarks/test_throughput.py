"""How long four clients at once wait until each has a volume answered.

Run with `make bench`; `osteoserve bench throughput` puts more loads on the service and says more.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from osteoserve_benchmarks.served import serving
from osteoserve_benchmarks.throughput.client import Sent
from osteoserve_benchmarks.throughput.measure import clients
from osteoserve_benchmarks.workers import Worker

CLIENTS, SLICES = 4, 60


@pytest.fixture(scope="module")
def workers() -> Iterator[list[Worker]]:
    with serving() as service, clients(service, SLICES, CLIENTS) as workers:
        yield workers


def test_clients_at_once(benchmark: BenchmarkFixture, workers: list[Worker]) -> None:
    def one_volume_each() -> list[Sent]:
        start = monotonic()
        running = [worker.begin("closed_loop", n, start, 0.0) for n, worker in enumerate(workers)]
        return [each.result() for each in running]

    sent = benchmark.pedantic(one_volume_each, rounds=5, warmup_rounds=1)
    assert len({call.digest for each in sent for call in each.calls}) == 1
