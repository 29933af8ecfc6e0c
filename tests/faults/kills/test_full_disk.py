"""A disk that is full, at every write: said in one line, and nothing is left in part."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from osteoserve_client.phantom import make_ct_phantom, write_dicom_study
from osteoserve_client.service import ServiceClient
from osteoserve_client.writing import OUTPUT_NAMES
from osteoserve_preprocessing.geometry import Volume
from osteoserve_preprocessing.triton.distribution import TritonDistribution
from tests.faults.kills.conftest import MODEL, PAGE, MakeDisk
from tests.traces import Traces


def osteoserve(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "osteoserve_client", *map(str, arguments)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run(command, text=True, timeout=120, check=False, **streams)


def pages(*sizes: int) -> int:
    return sum(-(-size // PAGE) * PAGE for size in sizes)


@pytest.mark.slow
def test_no_output_of_the_client_is_left_in_part(
    start: Any, disk: MakeDisk, tmp_path: Path
) -> None:
    write_dicom_study(make_ct_phantom(slices=8), tmp_path / "study")
    with start() as service:
        asked = ["segment", tmp_path / "study", "--model", MODEL, "--server", service.address]
        done = osteoserve(*asked, "-o", tmp_path / "out")
        assert done.returncode == 0, done.stderr
        written = [tmp_path / "out" / name for name in OUTPUT_NAMES]
        sizes = [path.stat().st_size for path in written]
        said = ""
        for number, size in enumerate(sizes):
            # Room for those before it, and none or half for itself.
            small = disk(max(PAGE, pages(*sizes[:number]) + pages(size // 2) - PAGE))
            failed = osteoserve(*asked, "-o", small / "out")
            assert failed.returncode == 6, failed.stderr
            assert failed.stdout == ""
            (line,) = failed.stderr.splitlines()
            assert "No space left" in line
            assert number == 0 or any(name in line for name in OUTPUT_NAMES)
            said += line
            assert list(small.iterdir()) == []
        # UIDs and times are a few bytes longer or shorter, which decides over a file of one page.
        assert all(path.name in said for path in written if path.stat().st_size > 2 * PAGE)


@pytest.mark.slow
def test_triton_and_the_audit_log_without_space_cost_no_answer(
    start: Any, study: Volume, disk: MakeDisk
) -> None:
    small = disk(2 * PAGE)
    logs = {"--triton-log": small / "triton.log", "--audit-log": small / "audit.jsonl"}
    (small / "audit.jsonl").touch()
    options = [str(part) for pair in logs.items() for part in pair]
    with start(*options) as service, service.client() as client:
        (small / "rest").write_bytes(bytes(small_rest(small)))
        expected, _ = client.segment(study, model=MODEL)
        for _ in range(2):
            labels, _ = client.segment(study, model=MODEL)
            np.testing.assert_array_equal(labels, expected)
        assert service.serving()
        assert (
            len(service.log("audit log: No space left"))
            + len(service.log("in the audit log in part only"))
            >= 2
        )
        assert not service.log("Traceback")


def small_rest(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def test_a_service_whose_temporary_folder_is_full_says_so(
    repository: Path, traces: Traces, disk: MakeDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = TritonDistribution.find().python_backend
    needed = sum(path.stat().st_size for path in backend.rglob("*") if path.is_file())
    small = disk(needed // 2)
    monkeypatch.setenv("TMPDIR", str(small))
    ended = osteoserve("serve", "--port", "0", "--repository", repository)
    assert ended.returncode == 4
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("osteoserve: ")
    assert "No space left" in last
    assert "Traceback" not in ended.stderr
    assert list(small.iterdir()) == []
    traces.check()


def test_a_log_that_can_never_be_written_stops_nothing(start: Any, study: Volume) -> None:
    with (
        start("--triton-log", "/dev/full", "--audit-log", "/dev/full") as service,
        ServiceClient(service.address) as client,
    ):
        assert client.segment(study, model=MODEL)[0].any()
        assert service.log("is not in the audit log: No space left")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_words_that_cannot_be_said_are_an_error_like_any_other(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unbuffered: str
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    write_dicom_study(make_ct_phantom(slices=8), tmp_path / "study")
    with start() as service, Path("/dev/full").open("w") as full:
        asked = ["segment", tmp_path / "study", "--model", MODEL, "--server", service.address]
        ended = osteoserve(*asked, "-o", tmp_path / "out", stdout=full)
    assert ended.returncode == 6, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert "No space left" in line
