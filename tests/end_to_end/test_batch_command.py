"""`osteoserve batch` as a user runs it: real files, real service, real kills."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from os import environ
from pathlib import Path

import numpy as np
import pydicom
import pytest

from osteoserve_client.local_service import LocalService
from osteoserve_client.phantom import make_ct_phantom, write_dicom_study
from osteoserve_client.phantom.scintigraphy import (
    make_scintigraphy_phantom,
    write_scintigraphy_study,
)
from tests.end_to_end.processes import MARK, Command, marked_processes

#: Starts a service with limits that the command does not offer.
RUNNER = Path(__file__).parents[1] / "preprocessing" / "server" / "run_service.py"
#: In headers, and in what people call their files.
HEADER_CANARIES = ("CANARYNAME", "CANARYID", "19010203")
PATH_CANARY = "CANARYFOLDER"
#: Taken from the series with a gap, in which it closes the gap.
MISSING = "missing.dcm"
#: Neither is in the folder of a batch but for the batch's own and one for each job.
OWN = {"batch.sqlite", "batch.sqlite.lock", "batch.csv"}
CT_OUTPUTS = {"skeleton.nii.gz", "skeleton.seg.dcm", "report.json", "volumes.csv", "preview.png"}
INTERRUPTED, SOME_FAILED = 130, 7

Batch = Callable[..., "subprocess.CompletedProcess[str]"]
Started = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two CT and a bone scan that are sound; one with a gap, one damaged, one that is none."""
    root = tmp_path_factory.mktemp("archive") / "in"
    for seed, name in enumerate(("one", "two", "gap", "other")):
        phantom = make_ct_phantom(slices=6, seed=seed, region="pelvis")
        write_dicom_study(phantom, root / f"{PATH_CANARY}_{name}")
    write_scintigraphy_study(make_scintigraphy_phantom(203), root / "scan")
    for path in root.rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        dataset.PatientName, dataset.PatientID = HEADER_CANARIES[0], HEADER_CANARIES[1]
        dataset.PatientBirthDate = HEADER_CANARIES[2]
        if "other" in str(path):
            dataset.Modality = "MR"
            dataset.SOPClassUID = pydicom.uid.MRImageStorage
        dataset.save_as(path)
    sorted((root / f"{PATH_CANARY}_gap").iterdir())[2].rename(root.parent / MISSING)
    (root / f"{PATH_CANARY}_torn").mkdir()
    (root / f"{PATH_CANARY}_torn" / f"{PATH_CANARY}.dcm").write_bytes(b"torn")
    return root


@pytest.fixture(scope="module")
def several(archive: Path) -> tuple[Path, ...]:
    """The archive without the bone scan, folder by folder."""
    return tuple(sorted(archive.glob(f"{PATH_CANARY}_*[!r]")))


@pytest.fixture(scope="module")
def batch(osteoserve: Command, service: str) -> Batch:
    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return osteoserve("batch", *arguments, "--server", service)

    return run


@pytest.fixture(scope="module")
def undisturbed(
    batch: Batch, archive: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    done = batch(archive, "-o", out)
    assert done.returncode == SOME_FAILED, done.stderr
    return out, done


@pytest.fixture
def started(service: str, mark: str) -> Iterator[Started]:
    """Start a batch, which does not outlive the test."""
    children = []

    def start(*arguments: str | Path) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-m", "osteoserve_client", "batch", *map(str, arguments)],
            env=environ | {MARK: mark},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()
    deadline = time.monotonic() + 45
    while marked_processes(mark):
        assert time.monotonic() < deadline, marked_processes(mark)
        time.sleep(0.2)


@pytest.fixture
def copied(undisturbed: tuple[Path, object], tmp_path: Path) -> Path:
    """A finished batch that may be altered."""
    return shutil.copytree(undisturbed[0], tmp_path / "out")


def table(out: Path) -> dict[str, dict[str, str]]:
    with (out / "batch.csv").open(newline="") as file:
        return {row["job"]: row for row in csv.DictReader(file)}


def digests(out: Path) -> dict[tuple[str, str], str]:
    """State, reason and every digest, of every job."""
    return {
        (job, column): value
        for job, row in table(out).items()
        for column, value in row.items()
        if column.startswith("sha256") or column in ("state", "error_kind", "error", "found")
    }


def folders(out: Path) -> set[str]:
    return {path.name for path in out.iterdir()} - OWN


def test_what_is_sound_is_done_and_the_rest_is_refused_for_its_own_reason(
    undisturbed: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    out, done = undisturbed
    rows = table(out)
    ended = sorted((row["modality"], row["state"], row["error_kind"]) for row in rows.values())
    assert ended == [
        ("", "failed", "UnreadableFileError"),
        ("CT", "done", ""),
        ("CT", "done", ""),
        ("CT", "failed", "MissingSliceError"),
        ("NM", "done", ""),
    ]
    assert folders(out) == {job for job, row in rows.items() if row["state"] == "done"}
    for job, row in rows.items():
        if (row["state"], row["modality"]) == ("done", "CT"):
            assert {path.name for path in (out / job).iterdir()} == CT_OUTPUTS
    assert "passed over" in done.stderr
    assert "1 MR" in done.stderr
    assert "3 done, 2 failed" in done.stdout


def test_a_person_learns_which_input_was_refused(
    undisturbed: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    lines = undisturbed[1].stderr.splitlines()
    assert any(f"{PATH_CANARY}_gap" in line and "missing" in line for line in lines)
    assert any(f"{PATH_CANARY}_torn" in line and "no DICOM file" in line for line in lines)


def test_nothing_of_the_patient_is_in_names_store_or_table(
    undisturbed: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    out, done = undisturbed
    for canary in HEADER_CANARIES:
        assert canary not in done.stdout + done.stderr
    for path in out.rglob("*"):
        for canary in (*HEADER_CANARIES, PATH_CANARY):
            assert canary not in str(path.relative_to(out))
            # The segmentation object is bound to the patient by what it repeats of the source.
            if path.is_file() and not path.name.endswith(".seg.dcm"):
                assert canary.encode() not in path.read_bytes(), path.name


def test_names_are_kept_where_that_is_asked_for(
    batch: Batch, archive: Path, tmp_path: Path
) -> None:
    torn = archive / f"{PATH_CANARY}_torn"
    assert batch(torn, "-o", tmp_path, "--keep-names").returncode == SOME_FAILED
    (row,) = table(tmp_path).values()
    assert row["error"].startswith(f"{PATH_CANARY}.dcm: ")
    assert Path(row["input"]).name == torn.name


def test_a_digest_is_that_of_what_segment_writes(
    undisturbed: tuple[Path, object],
    osteoserve: Command,
    service: str,
    archive: Path,
    tmp_path: Path,
) -> None:
    source = archive / f"{PATH_CANARY}_one"
    assert osteoserve("segment", source, "-o", tmp_path, "--server", service).returncode == 0
    known = {value for (_, name), value in digests(undisturbed[0]).items() if "sha256" in name}
    for name in ("skeleton.nii.gz", "volumes.csv"):
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() in known
    pixels = pydicom.dcmread(tmp_path / "skeleton.seg.dcm").PixelData
    assert hashlib.sha256(pixels).hexdigest() in known


def test_what_is_done_is_not_done_again(batch: Batch, archive: Path, copied: Path) -> None:
    before = {path: path.stat().st_mtime_ns for job in folders(copied) for path in [copied / job]}
    done = batch(archive, "-o", copied, "--json")
    assert done.returncode == SOME_FAILED, done.stderr
    assert json.loads(done.stdout)["counts"] == {"waiting": 0, "running": 0, "done": 3, "failed": 2}
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize("loss", ["altered", "gone"])
def test_an_output_that_is_no_longer_what_it_was_is_made_anew(
    batch: Batch, archive: Path, undisturbed: tuple[Path, object], copied: Path, loss: str
) -> None:
    lost = next(copied.glob("ct-*/skeleton.nii.gz"))
    lost.unlink() if loss == "gone" else lost.write_bytes(b"altered")
    done = batch(archive, "-o", copied)
    assert "1 jobs were done, but their outputs are gone or changed" in done.stderr
    assert digests(copied) == digests(undisturbed[0])
    assert folders(copied) == folders(undisturbed[0])


def test_an_input_that_was_mended_is_segmented_without_being_asked_to(
    batch: Batch, archive: Path, copied: Path, tmp_path: Path
) -> None:
    mended = shutil.copytree(archive, tmp_path / "in")
    shutil.copy(archive.parent / MISSING, mended / f"{PATH_CANARY}_gap")
    done = batch(mended, "-o", copied)
    assert "1 inputs have changed" in done.stderr
    series = [row["state"] for row in table(copied).values() if row["modality"]]
    assert series == ["done"] * 4


def test_failed_jobs_are_begun_anew_where_that_is_asked_for(
    batch: Batch, archive: Path, copied: Path
) -> None:
    before = table(copied)
    assert batch(archive, "-o", copied, "--retry-failed").returncode == SOME_FAILED
    for job, row in table(copied).items():
        assert (row["ended"] > before[job]["ended"]) == (row["state"] == "failed")


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["{archive}", "-o", "{out}", "--clip"], 2, "clip"),
        (["{archive}", "no-such-folder", "-o", "{out}"], 2, "no-such-folder"),
        (["-o", "{out}"], 2, "INPUTS"),
    ],
)
def test_what_was_asked_for_wrongly_is_refused_at_once(
    batch: Batch, archive: Path, copied: Path, arguments: list[str], code: int, word: str
) -> None:
    before = digests(copied)
    done = batch(*(part.format(archive=archive, out=copied) for part in arguments))
    assert done.returncode == code
    assert word in done.stderr.splitlines()[-1]
    assert digests(copied) == before


def test_a_model_that_is_not_served_ends_the_batch_before_a_job_fails(
    batch: Batch, archive: Path, tmp_path: Path
) -> None:
    done = batch(archive, "-o", tmp_path, "--model", "no_such_model")
    assert done.returncode == 5, done.stderr
    assert {row["state"] for row in table(tmp_path).values()} == {"waiting"}


def test_without_a_service_everything_waits(
    osteoserve: Command, archive: Path, tmp_path: Path
) -> None:
    done = osteoserve("batch", archive, "-o", tmp_path, "--server", "127.0.0.1:1")
    assert done.returncode == 4, done.stderr
    assert {row["state"] for row in table(tmp_path).values()} == {"waiting"}


def wait_for_staging(out: Path, child: subprocess.Popen[str]) -> None:
    """Until a first output is being written."""
    deadline = time.monotonic() + 120
    while not list((out / ".osteoserve-batch").glob("*/*")):
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def check_as_undisturbed(out: Path, reference: Path) -> None:
    expected = digests(reference)
    known = set(table(out))
    assert len(known) == 4
    assert digests(out) == {key: value for key, value in expected.items() if key[0] in known}
    done = {job for job, row in table(out).items() if row["state"] == "done"}
    assert folders(out) == done, "something was left behind"
    assert len(done) == 2


def signalled_at(
    step: str, when: str, number: int, *arguments: str | Path
) -> subprocess.CompletedProcess[str]:
    """Run the command, which a signal reaches at one of its own steps."""
    command = command_signalled_at(step, when, number, *arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def command_signalled_at(step: str, when: str, number: int, *arguments: str | Path) -> list[str]:
    script = Path(__file__).with_name("batch_signalled_at.py")
    return [sys.executable, str(script), step, when, str(int(number)), *map(str, arguments)]


def check_interrupted(code: int, said: str) -> None:
    assert code == INTERRUPTED, said
    assert "Traceback" not in said
    assert "unexpected" not in said


def check_in_good_order(out: Path) -> None:
    """Nothing counts as running, and nothing is there but what is done."""
    rows = table(out)
    assert folders(out) == {job for job, row in rows.items() if row["state"] == "done"}
    assert "running" not in {row["state"] for row in rows.values()}


def check_whole(out: Path) -> None:
    for folder in out.glob("ct-*"):
        assert {path.name for path in folder.iterdir()} == CT_OUTPUTS


def test_killed_at_any_time_it_ends_as_if_it_had_not_been(
    batch: Batch,
    started: Started,
    service: str,
    several: tuple[Path, ...],
    undisturbed: tuple[Path, object],
    tmp_path: Path,
    rounds: int,
) -> None:
    draw = np.random.default_rng(3)
    out = tmp_path / "0"
    for number in range(rounds):
        if len(list(out.glob("ct-*"))) == 2:
            out = tmp_path / str(number)
        child = started(*several, "-o", out, "--server", service)
        if number % 2 and not list(out.glob("ct-*")):
            wait_for_staging(out, child)
        time.sleep(draw.uniform(0, 2))
        child.send_signal(signal.SIGKILL)
        child.wait()
        check_whole(out)
    done = batch(*several, "-o", out)
    assert done.returncode == SOME_FAILED, done.stderr
    check_as_undisturbed(out, undisturbed[0])


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["claim", "note", "publish", "finish", "rename"])
def test_killed_at_its_most_delicate_steps_it_ends_as_if_it_had_not_been(
    batch: Batch,
    service: str,
    several: tuple[Path, ...],
    undisturbed: tuple[Path, object],
    tmp_path: Path,
    step: str,
    when: str,
) -> None:
    arguments = ["batch", *several, "-o", tmp_path / "out", "--server", service]
    assert signalled_at(step, when, signal.SIGKILL, *arguments).returncode == -signal.SIGKILL
    check_whole(tmp_path / "out")
    published = {path: path.stat().st_ino for path in (tmp_path / "out").glob("ct-*/*.dcm")}
    assert batch(*several, "-o", tmp_path / "out").returncode == SOME_FAILED
    check_as_undisturbed(tmp_path / "out", undisturbed[0])
    # What had appeared is what stays: nobody who took it away meanwhile has another one.
    assert {path: path.stat().st_ino for path in published} == published


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["claim", "note", "publish", "finish"])
def test_an_interrupt_waits_for_the_step_that_it_comes_into(
    batch: Batch,
    service: str,
    several: tuple[Path, ...],
    undisturbed: tuple[Path, object],
    tmp_path: Path,
    step: str,
    when: str,
) -> None:
    out = tmp_path / "out"
    arguments = ["batch", *several, "-o", out, "--server", service]
    done = signalled_at(step, when, signal.SIGINT, *arguments)
    check_interrupted(done.returncode, done.stderr)
    check_in_good_order(out)
    assert batch(*several, "-o", out).returncode == SOME_FAILED
    check_as_undisturbed(out, undisturbed[0])


@pytest.mark.parametrize(
    "wanted", [[signal.SIGINT], [signal.SIGTERM], [signal.SIGINT, signal.SIGTERM]], ids=str
)
def test_an_interrupted_batch_ends_in_good_order_and_goes_on(
    batch: Batch,
    started: Started,
    service: str,
    several: tuple[Path, ...],
    undisturbed: tuple[Path, object],
    tmp_path: Path,
    wanted: list[signal.Signals],
) -> None:
    out = tmp_path / "out"
    child = started(*several, "-o", out, "--server", service)
    wait_for_staging(out, child)
    child.send_signal(signal.SIGSTOP)
    held = batch(*several, "-o", out)
    assert held.returncode == 6
    assert "another process works with this folder" in held.stderr
    for number in (*wanted, signal.SIGCONT):
        child.send_signal(number)
    _, said = child.communicate(timeout=60)
    check_interrupted(child.returncode, said)
    check_in_good_order(out)
    assert batch(*several, "-o", out).returncode == SOME_FAILED
    check_as_undisturbed(out, undisturbed[0])


@pytest.mark.slow
def test_who_interrupts_again_need_not_wait(
    batch: Batch,
    service: str,
    several: tuple[Path, ...],
    undisturbed: tuple[Path, object],
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    arguments = ["batch", *several, "-o", out, "--server", service]
    command = command_signalled_at("publish", "before", signal.SIGINT, *arguments)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        wait_for_staging(out, child)
        begun = time.monotonic()
        while child.poll() is None and time.monotonic() < begun + 60:
            child.send_signal(signal.SIGINT)
            time.sleep(0.1)
        _, said = child.communicate(timeout=60)
    check_interrupted(child.returncode, said)
    check_whole(out)
    assert batch(*several, "-o", out).returncode == SOME_FAILED
    check_as_undisturbed(out, undisturbed[0])


@pytest.mark.slow
def test_a_service_of_its_own_that_is_killed_is_started_anew(
    started: Started,
    several: tuple[Path, ...],
    undisturbed: tuple[Path, object],
    tmp_path: Path,
    mark: str,
) -> None:
    child = started(*several, "-o", tmp_path, "--wait", "5")
    wait_for_staging(tmp_path, child)
    for process, line in marked_processes(mark).items():
        if "serve" in line.split("\0") and process != child.pid:
            subprocess.run(["kill", "-9", str(process)], check=True)
    _, said = child.communicate(timeout=240)
    assert child.returncode == SOME_FAILED, said
    check_as_undisturbed(tmp_path, undisturbed[0])


@pytest.mark.slow
def test_a_full_service_is_asked_again_until_all_is_done(
    osteoserve: Command,
    several: tuple[Path, ...],
    undisturbed: tuple[Path, object],
    tmp_path: Path,
) -> None:
    one_place = {"concurrent_calls": 1, "queued_calls": 0, "resident_volumes": 1}
    command = (sys.executable, str(RUNNER), json.dumps({"limits": one_place}))
    with LocalService(command=command, timeout_s=180) as full:
        done = osteoserve(
            "batch", *several, "-o", tmp_path, "--server", full.address, "--parallel", "4"
        )
    assert done.returncode == SOME_FAILED, done.stderr
    check_as_undisturbed(tmp_path, undisturbed[0])
