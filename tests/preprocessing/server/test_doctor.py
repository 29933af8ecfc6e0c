"""The doctor says what is wrong, and ends with an exit code that says whether anything is."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from osteoserve_preprocessing.server import Limits
from osteoserve_preprocessing.server.configuration import Row
from osteoserve_preprocessing.server.doctor import (
    Finding,
    State,
    bounds,
    healthy,
    machine,
    memory,
    report,
)

MODEL = "edges"


def examined(*options: str) -> tuple[int, dict[str, Finding]]:
    """Exit code and findings of the command."""
    command = [sys.executable, "-m", "osteoserve_client", "doctor", "--json", *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    document = json.loads(ended.stdout)
    findings = [Finding(**row | {"state": State(row["state"])}) for row in document["findings"]]
    assert document["healthy"] == healthy(tuple(findings)) == (ended.returncode == 0)
    return ended.returncode, {finding.subject: finding for finding in findings}


def test_a_machine_that_works_is_healthy(triton: str, model_repository: Path) -> None:
    code, findings = examined(
        "--port", "0", "--triton", triton, "--repository", str(model_repository)
    )
    assert code == 0
    assert findings[f"model {MODEL}"].state is State.OK
    assert findings[f"canary of {MODEL}"].state is State.OK


def test_a_running_service_on_the_port_is_no_fault(
    service: Any, triton: str, model_repository: Path
) -> None:
    port = service.address.rpartition(":")[2]
    code, findings = examined(
        "--port", port, "--triton", triton, "--repository", str(model_repository)
    )
    assert code == 0
    assert "SERVING" in findings[f"port {port}"].detail


def test_everything_that_is_broken_is_named_with_a_remedy(
    model_repository: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "repository"
    shutil.copytree(model_repository, copy)
    (copy / MODEL / "1" / "model.onnx").write_bytes(b"another model")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        code, findings = examined(
            "--port", port, "--triton", "127.0.0.1:1", "--repository", str(copy)
        )
    assert code == 4
    broken = {name: f for name, f in findings.items() if f.state is State.BROKEN}
    assert set(broken) == {f"port {port}", f"model {MODEL}", "Triton at 127.0.0.1:1"}
    assert "digest" in broken[f"model {MODEL}"].detail
    assert all(finding.remedy for finding in broken.values())


@pytest.mark.slow
def test_an_embedded_triton_that_cannot_start_is_broken(
    model_repository: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "repository"
    shutil.copytree(model_repository, copy)
    (copy / MODEL / "1" / "model.onnx").write_bytes(b"another model")
    code, findings = examined("--port", "0", "--repository", str(copy))
    assert code == 4
    assert findings["embedded Triton"].state is State.BROKEN
    assert MODEL in findings["embedded Triton"].detail


def test_a_repository_without_a_model_is_broken(triton: str, tmp_path: Path) -> None:
    code, findings = examined("--port", "0", "--triton", triton, "--repository", str(tmp_path))
    assert code == 4
    assert findings["model repository"].state is State.BROKEN


CPUS = {
    "flags : sse4_2 avx2 avx512f amx_bf16": (State.OK, "AVX2, AVX-512, AMX bf16"),
    "flags : sse4_2 avx2": (State.OK, "AVX2"),
    "flags : sse4_2": (State.NOTE, "none of"),
}


@pytest.mark.parametrize("line", CPUS)
def test_the_cpu_is_judged_by_its_instructions(tmp_path: Path, line: str) -> None:
    state, words = CPUS[line]
    (tmp_path / "cpuinfo").write_text(f"processor : 0\n{line}\n")
    finding = machine.cpu(tmp_path / "cpuinfo")
    assert finding.state is state
    assert words in finding.detail


@pytest.fixture
def machine_of(tmp_path: Path) -> Callable[..., dict[str, Path]]:
    """A machine with so much memory available, and control groups with what their files say."""

    def make(
        available: int, groups: str = "", files: dict[str, str] | None = None
    ) -> dict[str, Path]:
        proc, cgroups = tmp_path / "proc", tmp_path / "cgroup"
        (proc / "self").mkdir(parents=True)
        (proc / "meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable:  {available >> 10} kB\n")
        (proc / "self" / "cgroup").write_text(groups)
        for name, content in (files or {}).items():
            path = cgroups / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return {"proc": proc, "cgroups": cgroups}

    return make


@pytest.mark.parametrize(("available", "state"), [(1 << 30, State.NOTE), (1 << 35, State.OK)])
def test_memory_is_compared_with_what_may_be_resident(
    machine_of: Any, available: int, state: State
) -> None:
    assert memory.memory(Limits(), **machine_of(available)).state is state


GIB = str(1 << 30)


@pytest.mark.parametrize(
    ("groups", "files"),
    [
        ("0::/a/b\n", {"a/memory.max": GIB, "a/memory.current": "0", "a/b/memory.max": "max\n"}),
        (
            "3:cpu:/x\n4:memory:/a\n0::/\n",
            {"memory/a/memory.limit_in_bytes": GIB, "memory/a/memory.usage_in_bytes": "0"},
        ),
        # In a container: the path is the host's, the mount the container's own.
        (
            "4:memory:/docker/1\n",
            {"memory/memory.limit_in_bytes": GIB, "memory/memory.usage_in_bytes": "0"},
        ),
    ],
)
def test_a_limit_of_a_control_group_counts(
    machine_of: Any, groups: str, files: dict[str, str]
) -> None:
    finding = memory.memory(Limits(), **machine_of(1 << 35, groups, files))
    assert finding.state is State.NOTE
    assert "1024 MiB left in the control group" in finding.detail


def test_limits_that_contradict_each_other_are_named() -> None:
    assert bounds.limits(Limits()).state is State.OK
    finding = bounds.limits(Limits(resident_volumes=9, idle_s=121, inference_s=5))
    assert finding.state is State.NOTE
    assert all(name in finding.detail for name in ("resident_volumes", "upload_s", "inference_s"))


def test_absent_shared_memory_is_broken(tmp_path: Path) -> None:
    assert machine.shared_memory(tmp_path / "absent").state is State.BROKEN


def test_only_the_profile_gpu_needs_a_gpu() -> None:
    assert machine.gpu("cpu").state is not State.BROKEN
    if shutil.which("nvidia-smi") is None:
        assert machine.gpu("gpu").state is State.BROKEN


FINDINGS = (Finding("a", State.OK, "fine"), Finding("b", State.NOTE, "so so", "mend it"))


@pytest.mark.parametrize("state", State)
def test_only_what_is_broken_makes_a_machine_unhealthy(state: State) -> None:
    assert healthy((*FINDINGS, Finding("c", state, "?"))) == (state is not State.BROKEN)


ROWS = (Row("port", 1, "flag"), Row("limits.volume_bytes", 1 << 20, "default"))


def test_the_report_shows_findings_remedies_and_settings() -> None:
    assert report(FINDINGS, ROWS, as_json=False).splitlines() == [
        "ok      a: fine",
        "note    b: so so",
        "        -> mend it",
        "flag         port                 1",
        "default      limits.volume_bytes  1MiB",
    ]
    document = json.loads(report(FINDINGS, ROWS, as_json=True))
    assert document["findings"][1]["remedy"] == "mend it"
    assert document["settings"][1] == {
        "key": "limits.volume_bytes",
        "value": 1 << 20,
        "source": "default",
    }
