"""The containers' own command lines as plain processes, with folders in place of their mounts."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docker.deployment import DOCKER, deployed

pytestmark = pytest.mark.slow

START_S = 120


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> Path:
    """What ``docker compose run --rm credentials`` and the host's folders leave."""
    folder = tmp_path_factory.mktemp("state")
    (folder / "audit").mkdir()
    (folder / "bin").mkdir()
    # The image has the command on its path.
    command = folder / "bin" / "osteoserve"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m osteoserve_client "$@"\n')
    command.chmod(0o755)
    service = deployed(None)["credentials"]
    script = service["command"][0].replace("$$", "$").replace("/state/", f"{folder}/")
    made = subprocess.run(
        [*service["entrypoint"], script],
        env=os.environ
        | {"OSTEOSERVE_HOST": "localhost", "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def environment(state: Path, name: str) -> dict[str, str]:
    """Of one of the deployment's services."""
    variables = deployed("compose.cpu.yaml")[name]["environment"]
    return os.environ | {
        key: str(value).replace("/run/osteoserve", f"{state}/credentials")
        for key, value in variables.items()
    }


@pytest.fixture(scope="module")
def healthy(state, port) -> Iterator[Callable[[], subprocess.CompletedProcess[str]]]:
    """The container's health check, of a service that has become healthy."""
    words = [
        word.replace("/run/osteoserve", f"{state}/credentials")
        .replace("/var/log/osteoserve", f"{state}/audit")
        .replace("--port=8471", f"--port={port}")
        for word in deployed("compose.cpu.yaml")["osteoserve"]["command"]
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
            [sys.executable, "-m", "osteoserve_client", *words], stdout=log, stderr=log
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


def client(state, port, *arguments, **changed):
    variables = environment(state, "client") | {"OSTEOSERVE_SERVER": f"localhost:{port}"} | changed
    return subprocess.run(
        [sys.executable, "-m", "osteoserve_client", *map(str, arguments)],
        env=variables,
        capture_output=True,
        text=True,
    )


def test_the_health_check_passes(healthy):
    assert healthy().returncode == 0


def test_a_phantom_is_segmented_and_audited(healthy, state, port, tmp_path):
    made = client(state, port, "phantom", "ct", "-o", tmp_path / "phantom", "--slices", "8")
    assert made.returncode == 0, made.stderr
    done = client(state, port, "segment", tmp_path / "phantom" / "dicom", "-o", tmp_path / "result")
    assert done.returncode == 0, done.stderr
    for name in (
        "skeleton.nii.gz",
        "skeleton.seg.dcm",
        "volumes.csv",
        "report.json",
        "preview.png",
    ):
        assert (tmp_path / "result" / name).stat().st_size
    # What verify.sh looks for.
    pattern = re.search(
        r"grep -q '(.+)' ", (DOCKER / "verify.sh").read_text().split("audit_log_has")[1]
    )
    assert pattern
    assert re.search(pattern[1], (state / "audit" / "audit.jsonl").read_text())


def test_no_token_is_refused_as_verify_expects(healthy, state, port):
    refused = client(state, port, "models", OSTEOSERVE_TOKEN_FILE="")
    assert refused.returncode == 5, refused.stderr


def test_the_health_check_s_token_may_do_nothing_else(healthy, state, port):
    token = str(state / "credentials" / "health.token")
    assert client(state, port, "models", OSTEOSERVE_TOKEN_FILE=token).returncode == 5
