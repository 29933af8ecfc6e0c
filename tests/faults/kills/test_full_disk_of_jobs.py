"""Jobs whose disk is full: nothing is lost or left in part, and they go on when there is space."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path
from typing import Any

import pytest

from osteoserve_client.phantom import make_ct_phantom, write_dicom_study
from tests.end_to_end.node.peers import Archive, Node, kill_quietly, needs_dcmtk, send
from tests.end_to_end.node.studies import instances, referenced
from tests.faults.kills.conftest import MODEL, PAGE, MakeDisk
from tests.faults.kills.test_full_disk import osteoserve

OWN = {"batch.csv", "batch.sqlite", "batch.sqlite.lock"}


def small_study(folder: Path, seed: int) -> list[Path]:
    phantom = make_ct_phantom(slices=6, seed=seed, rows=128, columns=128, pixel_spacing_mm=3.9)
    return list(write_dicom_study(phantom, folder))


def enlarge(folder: Path, octets: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={octets}", str(folder)], check=True)


def digests(out: Path) -> list[dict[str, str]]:
    with (out / "batch.csv").open(newline="") as file:
        return [
            {name: value for name, value in row.items() if name.startswith(("job", "state", "sha"))}
            for row in csv.DictReader(file)
        ]


def occupied(folder: Path) -> int:
    return sum(-(-path.stat().st_size // PAGE) * PAGE for path in folder.rglob("*"))


@pytest.mark.slow
def test_a_batch_ends_at_whatever_write_and_goes_on(
    start: Any, disk: MakeDisk, tmp_path: Path
) -> None:
    for seed in range(2):
        small_study(tmp_path / "in" / str(seed), seed)
    with start() as service:
        asked = ("batch", tmp_path / "in", "--model", MODEL, "--server", service.address)
        undisturbed = osteoserve(*asked, "-o", tmp_path / "out")
        assert undisturbed.returncode == 0, undisturbed.stderr
        step = occupied(tmp_path / "out") // 4
        small, size, ended = disk(2 * PAGE), 2 * PAGE, []
        while not ended or ended[-1] != 0:
            done = osteoserve(*asked, "-o", small / "out")
            ended.append(done.returncode)
            assert "Traceback" not in done.stderr
            if done.returncode:
                assert done.returncode == 6, done.stderr
                assert done.stderr.splitlines()[-1].startswith("osteoserve: ")
                for folder in (small / "out").glob("ct-*"):
                    assert len(list(folder.iterdir())) == 5, "an output is there in part"
                size += step
                enlarge(small, size)
            assert len(ended) < 20, done.stderr
    assert len(ended) > 2
    assert digests(small / "out") == digests(tmp_path / "out")
    rows = {row["job"] for row in digests(small / "out")}
    assert {path.name for path in (small / "out").iterdir()} == OWN | rows


@needs_dcmtk
@pytest.mark.slow
def test_a_node_refuses_what_it_cannot_keep_and_takes_it_when_there_is_space(
    start: Any, disk: MakeDisk, tmp_path: Path
) -> None:
    files = small_study(tmp_path / "in", 1)
    small = disk(48 * PAGE)
    archive = Archive(tmp_path)
    try:
        with start() as service:
            node = Node(
                small,
                *("--server", service.address, "--ct-model", MODEL, "--send", archive.address),
                *("--min-free", "0", "--retry-after", "0.5"),
            )
            try:
                assert send(node.port, files) != 0
                assert archive.masks() == []
                enlarge(small, 4096 * PAGE)
                assert send(node.port, files) == 0
                node.wait_for("outcome=sent")
                (mask,) = archive.masks()
                assert referenced(mask) == instances(files)
                assert "Traceback" not in node.log
                assert node.stop() == 0
            finally:
                kill_quietly(node.process)
    finally:
        kill_quietly(archive.process)
