"""From a series to its mask in an archive, whatever happens on the way: the real service."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import SegmentationStorage

from tests.end_to_end.node.conftest import StartNode
from tests.end_to_end.node.peers import Archive, Node, Program, needs_dcmtk, send, until
from tests.end_to_end.node.studies import CANARIES, another_study, instances, referenced

pytestmark = needs_dcmtk

#: After which line of its log a node is killed: while it receives, segments, sends, and after.
STAGES = ("listening", "job", "segmented", "sent")


def test_ct_and_bone_scan_come_back_as_masks_on_their_images(
    start_node: StartNode, archive: Archive, service: str, ct: Path, bone_scan: Path, tmp_path: Path
) -> None:
    node = start_node("--server", service, "--send", archive.address)
    studies = [
        another_study(source, tmp_path / name, name)
        for name, source in (("ct", ct), ("scan", bone_scan))
    ]
    for files in studies:
        assert send(node.port, files) == 0
    node.wait_for("outcome=sent", times=2)
    masks = [pydicom.dcmread(path) for path in archive.masks()]
    assert [mask.SOPClassUID for mask in masks] == [SegmentationStorage] * 2
    assert {str(mask.PatientName) for mask in masks} == {CANARIES[0]}
    found = {frozenset(referenced(path)) for path in archive.masks()}
    assert found == {frozenset(instances(files)) for files in studies}
    node.wait_for("event=deleted", times=2)
    assert not [name for name in node.files() if name.endswith(".dcm")]
    told = node.log + str(node.rows())
    uids = {uid for files in studies for uid in instances(files)}
    assert not [word for word in (*CANARIES, *uids) if word in told]


@pytest.mark.slow
def test_every_series_of_one_study_comes_back_with_its_own_mask(
    start_node: StartNode, archive: Archive, service: str, ct: Path, bone_scan: Path, tmp_path: Path
) -> None:
    """Two of CT, and two bone scans, which are one job; mixed on the way."""
    node = start_node("--server", service, "--send", archive.address)
    sources = {"early": ct, "late": ct, "morning": bone_scan, "noon": bone_scan}
    series = {
        name: another_study(source, tmp_path / name, name, study="one")
        for name, source in sources.items()
    }
    files = [path for paths in series.values() for path in paths]
    random.Random(1).shuffle(files)  # noqa: S311
    assert send(node.port, files) == 0
    node.wait_for("outcome=sent", times=3)
    masks = [pydicom.dcmread(path) for path in archive.masks()]
    (study,) = {mask.StudyInstanceUID for mask in masks}
    assert study == pydicom.dcmread(files[0]).StudyInstanceUID
    assert len({mask.SeriesInstanceUID for mask in masks}) == 4
    found = {frozenset(referenced(path)) for path in archive.masks()}
    assert found == {frozenset(instances(paths)) for paths in series.values()}
    assert {row["state"] for row in node.rows()} == {"sent"}


@pytest.mark.slow
def test_an_archive_that_is_not_there_keeps_no_mask_from_the_others(
    start_node: StartNode,
    archive: Archive,
    service: str,
    ct: Path,
    tmp_path: Path,
    started: Callable[[Program], Program],
) -> None:
    (tmp_path / "second").mkdir()
    absent = Archive(tmp_path / "second")
    absent.kill()
    node = start_node(
        *("--server", service, "--retry-after", "0.5"),
        *("--send", absent.address, "--send", archive.address),
    )
    assert send(node.port, sorted(ct.iterdir())) == 0
    node.wait_for(f"event=waits .*{absent.address}.*nobody listens", times=2)
    assert archive.received() == 1
    started(absent := Archive(tmp_path / "second", absent.port))
    node.wait_for("outcome=sent")
    assert len(absent.masks()) == archive.received() == 1


def test_what_comes_again_is_neither_segmented_nor_sent_again(
    start_node: StartNode, archive: Archive, service: str, ct: Path
) -> None:
    node = start_node("--server", service, "--send", archive.address)
    files = sorted(ct.iterdir())
    assert send(node.port, files) == 0
    node.wait_for("event=deleted")
    assert send(node.port, files) == 0
    node.wait_for("event=again .*state=done instances=8")
    assert send(node.port, files[2:4]) == 0
    node.wait_for("event=again .*instances=2")
    assert len(node.rows()) == archive.received() == 1


@pytest.mark.slow
def test_late_instances_make_a_mask_of_the_whole_or_none(
    start_node: StartNode, archive: Archive, service: str, ct: Path
) -> None:
    files = sorted(ct.iterdir())
    node = start_node("--server", service, "--send", archive.address)
    assert send(node.port, files[:6]) == 0
    node.wait_for("event=deleted")
    assert send(node.port, files[6:]) == 0
    node.wait_for("event=failed .*send the whole series again")
    assert len(archive.masks()) == 1
    assert send(node.port, files[:6]) == 0
    node.wait_for("outcome=sent", times=2)
    assert instances(files) in [referenced(path) for path in archive.masks()]
    assert [row["state"] for row in node.rows()] == ["sent", "superseded", "sent"]


@pytest.mark.slow
def test_late_instances_join_those_that_are_kept(
    start_node: StartNode, archive: Archive, service: str, ct: Path
) -> None:
    files = sorted(ct.iterdir())
    node = start_node("--server", service, "--send", archive.address, "--keep", "1")
    assert send(node.port, files[:6]) == 0
    node.wait_for("outcome=sent")
    assert send(node.port, files[6:]) == 0
    node.wait_for("outcome=sent", times=2)
    assert sorted(len(referenced(path)) for path in archive.masks()) == [6, 8]


@pytest.mark.slow
def test_a_mask_waits_for_its_archive_and_stays_the_same(
    start_node: StartNode, service: str, ct: Path, tmp_path: Path, started: object
) -> None:
    archive = Archive(tmp_path)
    archive.kill()
    options = ("--server", service, "--send", archive.address, "--retry-after", "0.5")
    node = start_node(*options)
    assert send(node.port, sorted(ct.iterdir())) == 0
    node.wait_for("event=waits .*nobody listens", times=2)
    (mask,) = node.spool.glob("jobs/*/result/0/*.seg.dcm")
    instance = pydicom.dcmread(mask).SOPInstanceUID
    node.kill()
    node = start_node(*options)
    archive = Archive(tmp_path, archive.port)
    started(archive)  # type: ignore[operator]
    node.wait_for("outcome=sent")
    (sent,) = archive.masks()
    assert pydicom.dcmread(sent).SOPInstanceUID == instance
    assert "event=segmented" not in node.log, "it was made before the kill"


@pytest.mark.slow
def test_a_job_waits_for_its_service_until_the_node_gives_up(
    start_node: StartNode, archive: Archive, ct: Path
) -> None:
    options = ("--server", "127.0.0.1:9", "--send", archive.address, "--retry-after", "0.2")
    node = start_node(*options)
    assert send(node.port, sorted(ct.iterdir())) == 0
    node.wait_for("event=waits .*service", times=2)
    assert node.stop() == 0
    node = start_node(*options, "--give-up", "0")
    node.wait_for("event=failed .*kind=ServiceUnavailableError")
    (row,) = node.rows()
    assert row["state"] == "failed"
    assert any(name.endswith(".dcm") for name in node.files()), "nothing is lost"


@pytest.mark.slow
def test_kill_9_at_any_time_loses_nothing_and_doubles_nothing(
    start_node: StartNode, archive: Archive, service: str, ct: Path, tmp_path: Path, rounds: int
) -> None:
    options = ("--server", service, "--send", archive.address, "--retry-after", "0.2")
    chance = random.Random(0)  # noqa: S311
    node = start_node(*options)
    sent: dict[frozenset[str], None] = {}
    for number in range(2 * rounds):
        files = another_study(ct, tmp_path / f"study{number}", f"kill{number}")
        stage = STAGES[number % len(STAGES)]
        before = node.log.count(f"event={stage}")
        sending = threading.Thread(target=send, args=(node.port, files))
        sending.start()
        if stage != "listening":
            node.wait_for(f"event={stage}", times=before + 1)
        time.sleep(chance.choice((0, 0.01, 0.3)))
        node.kill()
        sending.join()
        node = start_node(*options)
        if stage == "listening":
            # It was killed before the sender was done, perhaps: who got no answer sends again.
            assert send(node.port, files) == 0
        sent[frozenset(instances(files))] = None
        until(lambda: covers(archive, sent), "a mask of every series")
        until(partial(all_sent, node), "the end of every job")
    masks = [frozenset(referenced(path)) for path in archive.masks()]
    assert sorted(map(sorted, masks)) == sorted(map(sorted, sent)), "one mask a series"


def all_sent(node: Node) -> bool:
    return {row["state"] for row in node.rows()} == {"sent"}


def covers(archive: Archive, sent: dict[frozenset[str], None]) -> bool:
    return {frozenset(referenced(path)) for path in archive.masks()} >= set(sent)
