"""Memory and floor of the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import process_time, sleep

import pytest

from osteoserve_benchmarks.floor import Floor, measure_floor
from osteoserve_benchmarks.processes import (
    cpu_seconds,
    peak_rss_mb,
    process_tree,
    proportional_mb,
)

HOLDS = "x = bytearray(80_000_000); del x; print(flush=True); input()"
#: Two processes that see the same 80 MB; the second ends with the first.
SHARES = (
    "import mmap, os; x = mmap.mmap(-1, 80_000_000); x.write(bytes(len(x))); r, w = os.pipe(); "
    "c, d = os.pipe(); child = os.fork(); "
    "\nif not child: os.close(d); x[:]; os.write(w, b'.'); os.read(c, 1); os._exit(0)"
    "\nos.read(r, 1); print(flush=True); input(); os.close(d); os.wait()"
)
PARENT = (
    "import subprocess, sys; "
    f"child = subprocess.Popen([sys.executable, '-c', {HOLDS!r}], stdin=subprocess.PIPE); "
    "input(); child.stdin.close(); child.wait()"
)


@contextmanager
def told(program: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has printed a line, or whose child has; it ends when its context does."""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        yield child
        child.communicate(b"\n")


def test_the_peak_of_a_process_outlives_what_it_held() -> None:
    with told(HOLDS) as child:
        assert peak_rss_mb(child.pid) - proportional_mb(child.pid) > 70


def test_what_processes_share_counts_once() -> None:
    with told(SHARES) as child:
        both = process_tree(child.pid)
        assert len(both) == 2
        assert all(proportional_mb(one) > 40 for one in both)
        assert sum(map(proportional_mb, both)) < 80 + 40
    assert proportional_mb(child.pid) == 0.0


def test_work_takes_processor_time_and_sleep_none() -> None:
    begun = cpu_seconds(os.getpid())
    before = process_time()
    while process_time() < before + 0.3:
        pass
    worked = cpu_seconds(os.getpid())
    assert worked - begun >= 0.25
    with subprocess.Popen([sys.executable, "-c", HOLDS], stdin=subprocess.PIPE) as child:
        sleep(0.5)
        assert cpu_seconds(os.getpid()) - worked < 0.25
        child.communicate(b"\n")


def test_the_tree_holds_children_of_children() -> None:
    with told(PARENT) as child:
        tree = process_tree(child.pid)
        assert tree[0] == child.pid
        assert len(tree) == 2
        assert set(tree) < set(process_tree(os.getpid()))


def test_the_floor_is_arithmetic_and_copying() -> None:
    floor = Floor("fp32", gflops=100.0, copy_gb_s=20.0)
    # 200 GFLOP at 100 GFLOP/s; 5 GB read and 5 GB written at 20 GB/s.
    assert floor.seconds(flops=200e9, copied_bytes=5e9) == pytest.approx(2.0 + 0.5)


def test_a_floor_can_be_measured() -> None:
    found = measure_floor("fp32")
    assert 0.1 < found.gflops < 1e6
    assert 0.1 < found.copy_gb_s < 1e4
