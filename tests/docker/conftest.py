"""The deployment without a GPU as plain processes, with folders in place of its mounts."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docker.deployment import DOCKER, MONITORING, Service, client, deployed, environment

START_S = 120


@pytest.fixture(scope="session")
def state(tmp_path_factory) -> Path:
    """What both one-off steps for credentials leave in the host's folders."""
    folder = tmp_path_factory.mktemp("state")
    (folder / "audit").mkdir()
    (folder / "bin").mkdir()
    # The image has the command on its path.
    command = folder / "bin" / "osteoserve"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m osteoserve_client "$@"\n')
    command.chmod(0o755)
    services = deployed(None, MONITORING)
    for name in ("credentials", "monitoring-credentials"):
        _run_once(services[name], folder)
    return folder


def _run_once(service: Service, folder: Path) -> None:
    script = service["command"][0].replace("$$", "$").replace("/state/", f"{folder}/")
    made = subprocess.run(
        [*service["entrypoint"], script],
        env=os.environ
        | {"OSTEOSERVE_HOST": "localhost", "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr


@pytest.fixture(scope="session")
def port() -> int:
    """Of the service."""
    return _free_port()


@pytest.fixture(scope="session")
def metrics_port() -> int:
    """Of its metrics."""
    return _free_port()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="session")
def healthy(state, port, metrics_port) -> Iterator[Callable[[], subprocess.CompletedProcess[str]]]:
    """The container's health check, of a service that has become healthy."""
    words = [
        word.replace("/run/osteoserve", f"{state}/credentials")
        .replace("/var/log/osteoserve", f"{state}/audit")
        .replace("--port=8471", f"--port={port}")
        for word in deployed("compose.cpu.yaml", MONITORING)["osteoserve"]["command"]
    ]
    # Other than in the container the port is not ours alone.
    program = (DOCKER / "healthcheck.py").read_text().replace("localhost:8471", f"localhost:{port}")

    def check() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program],
            env=environment(state, "osteoserve"),
            capture_output=True,
            text=True,
        )

    with (state / "log").open("wb") as log:
        running = subprocess.Popen(
            [sys.executable, "-m", "osteoserve_client", *words],
            env=environment(state, "osteoserve")
            | {"OSTEOSERVE_SERVE_METRICS_ADDRESS": f"127.0.0.1:{metrics_port}"},
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + START_S
        while (asked := check()).returncode:
            assert running.poll() is None, (state / "log").read_text()
            assert time.monotonic() < deadline, asked.stderr
        yield check
    finally:
        running.terminate()
        code = running.wait(timeout=60)
    assert code == 0
    # The check of a service that is gone says so.
    assert check().returncode == 1


@pytest.fixture(scope="session")
def segmented_phantom(healthy, state, port, tmp_path_factory) -> Path:
    """The outputs for a small phantom, through the client's container."""
    folder = tmp_path_factory.mktemp("phantom")
    made = client(state, port, "phantom", "ct", "-o", folder / "phantom", "--slices", "8")
    assert made.returncode == 0, made.stderr
    done = client(state, port, "segment", folder / "phantom" / "dicom", "-o", folder / "result")
    assert done.returncode == 0, done.stderr
    return folder / "result"
