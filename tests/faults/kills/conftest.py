"""Real services, with a Triton of their own, that the tests here may harm."""

from __future__ import annotations

import hashlib
import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from osteoserve_preprocessing.geometry import Geometry, Volume
from osteoserve_preprocessing.triton import EmbeddedTriton
from tests.faults.kills.service import RunningService
from tests.preprocessing.conftest import (
    all_processes,
    box_network,
    random_network,
    write_one_model,
)
from tests.traces import Traces

RUNNER = Path(__file__).parents[2] / "preprocessing" / "server" / "run_service.py"
SERVE = (sys.executable, "-m", "osteoserve_client", "serve", "--announce", "--port", "0")

MODEL = "random"

#: One call at a time and none that waits: a place that is not given back is the last.
ONE_PLACE = {"resident_volumes": 1, "concurrent_calls": 1, "queued_calls": 0}


def first_network() -> bytes:
    """What is served at first."""
    return random_network(16, kernel=9)


def second_network() -> bytes:
    """Labels other pixels."""
    return random_network(12, kernel=7)


FIRST = hashlib.sha256(first_network()).hexdigest()
SECOND = hashlib.sha256(second_network()).hexdigest()

StartService = Callable[..., RunningService]
MakeDisk = Callable[[int], Path]
PAGE = 4096


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """TMPDIR of what a test starts."""
    folder = tmp_path / "private"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def traces(private: Path) -> Traces:
    """What is left on the machine of what a test starts."""
    return Traces(private, all_processes)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Of one model, whose labels are intricate and take their time."""
    write_one_model(tmp_path / "models" / MODEL, first_network())
    return tmp_path / "models"


@pytest.fixture
def start(private: Path, repository: Path, tmp_path: Path) -> StartService:
    """Makes a service on the repository: by the command with options, or else with limits."""
    numbers = itertools.count(1)

    def service(*options: str, **limits: int) -> RunningService:
        chosen = {"repository": str(repository), "limits": limits}
        command = (sys.executable, str(RUNNER), json.dumps(chosen))
        if options or not limits:
            # The profile whose files are broken, whatever this CPU can do.
            command = (*SERVE, "--repository", str(repository), "--profile", "cpu", *options)
        return RunningService(command, tmp_path / f"service-{next(numbers)}.log")

    return service


@pytest.fixture(scope="session")
def study() -> Volume:
    """Six slabs of a body with a spine, in which no two slices are alike."""
    z, y, x = np.ogrid[:96, :128, :128]
    voxels = np.full((96, 128, 128), -1000, np.int16)
    voxels[np.broadcast_to((y - 64) ** 2 + (x - 64) ** 2 < 55**2, voxels.shape)] = 45
    voxels[(y - 70 - z // 8) ** 2 + (x - 60 + z // 16) ** 2 < 12**2] = 280
    noise = np.random.default_rng(5).integers(-20, 20, voxels.shape, dtype=np.int16)
    return Volume(voxels + noise, Geometry(voxels.shape, (2.0, 1.0, 1.0)))


@pytest.fixture
def external_triton(tmp_path: Path, private: Path) -> Iterator[str]:
    """Address of a Triton that is not the service's own."""
    write_one_model(tmp_path / "external" / "box", box_network())
    with EmbeddedTriton(tmp_path / "external") as triton:
        yield triton.grpc_address


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[MakeDisk]:
    """Makes a small file system of so many bytes, in memory."""
    made: list[Path] = []

    def make(octets: int) -> Path:
        folder = tmp_path / f"disk-{len(made)}"
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={octets}", "tmpfs", str(folder)]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            pytest.skip("needs the right to mount a file system in memory, as root has")
        made.append(folder)
        return folder

    yield make
    for folder in made:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
