"""Nothing leaves the machine: no process of ours, native code included, asks for another one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from osteoserve_client.local_service import LocalService
from tests.security.observation import (
    COMMAND,
    outbound,
    seen_calls,
    tracing,
    without_network,
)

pytestmark = pytest.mark.slow

SERVE = (*COMMAND, "serve", "--port", "0", "--announce")


def run(command: tuple[str, ...], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    return ended


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies")
    run(COMMAND, "phantom", "ct", "-o", folder / "ct", "--slices", "8")
    run(COMMAND, "phantom", "scintigraphy", "-o", folder / "scan")
    return folder


@pytest.mark.parametrize("by", ["address", "name"])
def test_the_observer_sees_who_reaches_out(tmp_path: Path, by: str) -> None:
    """A child that is no Python's own is seen too: else the tests below would prove nothing."""
    host = {"address": "192.0.2.1", "name": "telemetry.example"}[by]
    reach = f"import socket; s = socket.socket(); s.settimeout(1); s.connect_ex(({host!r}, 443))"
    shell = ("sh", "-c", '"$@"; true', "sh", sys.executable, "-c", reach)
    run((*tracing(tmp_path / "log"), *shell))
    assert outbound(tmp_path / "log")


@pytest.mark.parametrize("study", ["ct", "scan"])
def test_segmenting_with_a_service_of_its_own(studies: Path, tmp_path: Path, study: str) -> None:
    watched = (*tracing(tmp_path / "log"), *COMMAND)
    run(watched, "segment", studies / study / "dicom", "-o", tmp_path / "out")
    assert outbound(tmp_path / "log") == set()
    assert any("127.0.0.1" in call for call in seen_calls(tmp_path / "log")), "it was watched"


def test_a_service_and_all_that_ask_it(studies: Path, tmp_path: Path) -> None:
    logs = [tmp_path / f"{name}.log" for name in ("serve", "models", "segment", "doctor")]
    watched = [(*tracing(log), *COMMAND) for log in logs]
    with LocalService(command=(*tracing(logs[0]), *SERVE)) as service:
        at = ("--server", service.address)
        run(watched[1], "models", *at)
        run(watched[2], "segment", studies / "ct" / "dicom", "-o", tmp_path / "out", *at)
    run(watched[3], "doctor")
    for log in logs:
        assert outbound(log) == set(), log.name
        assert seen_calls(log), log.name


def test_all_of_it_works_where_there_is_no_network(studies: Path, tmp_path: Path) -> None:
    alone = (*without_network(), *COMMAND)
    run(alone, "segment", studies / "ct" / "dicom", "-o", tmp_path / "out")
    run(alone, "doctor")
