"""What the node takes, from whom, and what it makes of it: no service is asked."""

from __future__ import annotations

import contextlib
import random
import shutil
import socket
import ssl
import threading
import time
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    NuclearMedicineImageStorage,
)
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification

from tests.end_to_end.node.conftest import Associate, StartNode
from tests.end_to_end.node.peers import Node, echo, needs_dcmtk, send, until
from tests.end_to_end.node.studies import CANARIES, another_study
from tests.end_to_end.processes import Command

pytestmark = needs_dcmtk


def stored(association: Association, path: Path) -> int | None:
    return association.send_c_store(path).get("Status")


def only_job(node: Node) -> dict[str, object]:
    (row,) = node.rows()
    return row


def test_answers_echo_and_says_what_it_would_do(start_node: StartNode, ct: Path) -> None:
    node = start_node("--dry-run", "--send", "PACS@127.0.0.1:9")
    assert echo(node.port) == 0
    assert send(node.port, sorted(ct.iterdir())) == 0
    (said,) = node.wait_for(r"event=would .*")
    assert "modality=CT" in said
    assert "ask=unet_skeleton" in said
    assert "send=PACS@127.0.0.1:9" in said
    node.wait_for("event=deleted")
    assert only_job(node)["state"] == "dry run"
    assert not [name for name in node.files() if name.endswith(".dcm")], "data are left"
    assert node.stop() == 0


def test_only_titles_that_may_are_let_in(start_node: StartNode) -> None:
    node = start_node("--dry-run", "--calling", "CT1", "--allow-from", "127.0.0.0/8")
    assert echo(node.port, calling="CT1") == 0
    assert echo(node.port, calling="STRANGER") != 0
    assert echo(node.port, calling="CT1", called="OTHER") != 0
    node.wait_for("event=rejected", times=2)


def test_only_addresses_that_may_are_let_in(start_node: StartNode) -> None:
    node = start_node("--dry-run", "--allow-from", "192.0.2.0/24")
    assert echo(node.port) != 0
    node.wait_for('event=refused address=127.0.0.1 why="address not allowed"')


def test_other_kinds_are_rejected_before_they_are_sent(
    start_node: StartNode, associate: Associate
) -> None:
    association = associate(start_node("--dry-run"))
    accepted = {str(context.abstract_syntax) for context in association.accepted_contexts}
    association.release()
    assert accepted == {
        CTImageStorage,
        EnhancedCTImageStorage,
        LegacyConvertedEnhancedCTImageStorage,
        NuclearMedicineImageStorage,
        "1.2.840.10008.5.1.4.1.1.5",  # nuclear medicine's retired one
    }


def test_order_repetition_and_company_do_not_matter(
    start_node: StartNode, associate: Associate, ct: Path, tmp_path: Path
) -> None:
    node = start_node("--dry-run")
    first, second = (another_study(ct, tmp_path / name, name) for name in ("one", "two"))
    files = [*first, *second, *first[:3]]
    random.Random(0).shuffle(files)  # noqa: S311
    association = associate(node)
    assert [stored(association, path) for path in files] == [0] * len(files)
    association.release()
    node.wait_for("event=would", times=2)
    assert [row["instances"] for row in node.rows()] == [8, 8]
    (visit,) = node.wait_for(r"event=association .*")
    assert "instances=19 new=16" in visit


def test_what_a_sender_broke_off_is_no_series(
    start_node: StartNode, associate: Associate, ct: Path
) -> None:
    node, files = start_node("--dry-run", settle_s=0.5), sorted(ct.iterdir())
    association = associate(node)
    assert [stored(association, path) for path in files[:5]] == [0] * 5
    association.abort()
    node.wait_for('event=association .*ended="broken off" instances=5')
    time.sleep(2)
    assert node.rows() == [], "five slices of eight, without a gap, would look right"
    assert send(node.port, files) == 0
    node.wait_for("event=would")
    assert only_job(node)["instances"] == 8


def test_a_sender_that_does_not_come_back_is_named_in_the_table(
    start_node: StartNode, associate: Associate, ct: Path
) -> None:
    node = start_node("--dry-run", "--broken-off", "1")
    association = associate(node)
    assert stored(association, min(ct.iterdir())) == 0
    association.abort()
    node.wait_for("event=failed .*broke off")
    row = only_job(node)
    assert (row["state"], row["kind"]) == ("failed", "IncompleteSeriesError")
    assert any(name.endswith(".dcm") for name in node.files()), "a failed job keeps its data"


def test_a_gap_waits_once_then_fails_and_is_mended_by_what_lacked(
    start_node: StartNode, ct: Path
) -> None:
    node, files = start_node("--dry-run"), sorted(ct.iterdir())
    assert send(node.port, files[:3] + files[4:]) == 0
    node.wait_for("event=failed .*kind=MissingSliceError")
    assert len(node.wait_for("event=waits")) == 1
    assert send(node.port, files[3:4]) == 0
    node.wait_for("outcome=superseded")
    node.wait_for("event=would")
    states = [(row["state"], row["instances"]) for row in node.rows()]
    assert states == [("superseded", 7), ("dry run", 8)]


@pytest.mark.slow
def test_a_full_spool_refuses_and_the_series_waits_for_the_rest(
    start_node: StartNode, associate: Associate, ct: Path
) -> None:
    files = sorted(ct.iterdir())
    room = sum(path.stat().st_size for path in files[:4]) + 4096
    node = start_node("--dry-run", "--max-spool", str(room / 2**30))
    association = associate(node)
    assert [stored(association, path) for path in files] == [0] * 4 + [0xA700] * 4
    association.release()
    node.wait_for("event=association .*refused=4")
    time.sleep(2)
    assert node.rows() == [], "the sender released, but four were refused"
    assert not [name for name in node.files() if name.startswith("incoming/")]
    assert node.stop() == 0
    node = start_node("--dry-run")
    assert send(node.port, files[4:]) == 0
    node.wait_for("event=would")
    assert only_job(node)["instances"] == 8


def test_too_little_free_disk_refuses(
    start_node: StartNode, associate: Associate, ct: Path, tmp_path: Path
) -> None:
    free = shutil.disk_usage(tmp_path).free / 2**30
    node = start_node("--dry-run", "--min-free", str(1.5 * free))
    association = associate(node)
    assert stored(association, min(ct.iterdir())) == 0xA700
    association.release()


def test_a_disk_that_is_nearly_full_takes_not_even_what_has_begun(
    start_node: StartNode, associate: Associate, ct: Path
) -> None:
    node = start_node("--dry-run", "--min-free", "1e9")
    association = associate(node)
    assert stored(association, min(ct.iterdir())) is None
    assert len(node.wait_for('event=aborted .*why="the disk is nearly full"')) == 1


@pytest.mark.slow
def test_what_was_answered_with_success_survives_kill_9(
    start_node: StartNode, associate: Associate, ct: Path, tmp_path: Path, rounds: int
) -> None:
    for number in range(rounds):
        files = another_study(ct, tmp_path / f"study{number}", f"study{number}")
        node = start_node("--dry-run")
        association = associate(node)
        taken = [path for path in files[:4] if stored(association, path) == 0]
        # In the middle of whatever it does with the next.
        delay = random.Random(number).uniform(0, 0.05)  # noqa: S311
        killer = threading.Timer(delay, node.kill)
        killer.start()
        with contextlib.suppress(RuntimeError):
            taken += [path for path in files[4:] if stored(association, path) == 0]
        killer.join()
        association.abort()
        kept = {
            pydicom.dcmread(path).SOPInstanceUID: pydicom.dcmread(path).PixelData
            for path in node.spool.glob("received/*/*/*.dcm")
        }
        for path in taken:
            image = pydicom.dcmread(path)
            assert kept[image.SOPInstanceUID] == image.PixelData
        node = start_node("--dry-run")
        assert send(node.port, files) == 0
        node.wait_for("event=would")
        assert node.rows()[-1]["instances"] == 8
        assert node.stop() == 0


def test_sigterm_lets_a_sender_finish(
    start_node: StartNode, associate: Associate, ct: Path
) -> None:
    node, files = start_node("--dry-run", settle_s=2), sorted(ct.iterdir())
    association = associate(node)
    assert stored(association, files[0]) == 0
    node.process.terminate()
    node.wait_for("event=stopping")
    assert [stored(association, path) for path in files[1:]] == [0] * 7
    association.release()
    assert node.stop() == 0
    node = start_node("--dry-run")
    node.wait_for("event=would")
    assert only_job(node)["instances"] == 8


def test_a_pdu_that_claims_four_gigabytes_is_not_waited_for(start_node: StartNode) -> None:
    node = start_node("--dry-run")
    with socket.create_connection(("127.0.0.1", node.port)) as peer:
        peer.settimeout(20)
        peer.sendall(b"\x01\x00\xff\xff\xff\xff" + bytes(4096))
        with contextlib.suppress(ConnectionResetError):
            assert peer.recv(1024) == b"", "the connection is closed"
    assert echo(node.port) == 0


def test_a_peer_that_stops_inside_a_pdu_is_let_go(start_node: StartNode) -> None:
    node = start_node("--dry-run", "--idle", "1")
    with socket.create_connection(("127.0.0.1", node.port)) as peer:
        peer.settimeout(30)
        peer.sendall(b"\x01\x00\x00\x00\x01\x00abc")
        with contextlib.suppress(ConnectionResetError):
            assert peer.recv(1024) == b"", "the connection is closed"


def test_associations_are_bounded(start_node: StartNode, associate: Associate) -> None:
    node = start_node("--dry-run", "--max-associations", "2")
    held = [associate(node) for _ in range(2)]
    assert echo(node.port) != 0
    for association in held:
        association.release()
    until(lambda: echo(node.port) == 0, "a free place")


def test_an_instance_without_end_is_aborted(
    start_node: StartNode, associate: Associate, ct: Path
) -> None:
    path = min(ct.iterdir())
    most = str(path.stat().st_size / 2 / 2**30)
    node = start_node("--dry-run", "--max-instance", most, "--idle", "2")
    association = associate(node)
    assert stored(association, path) is None
    node.wait_for('event=aborted .*why="an instance is too large"')
    assert echo(node.port) == 0
    until(lambda: not list((node.spool / "incoming").iterdir()), "what it left is deleted")


def test_no_word_of_the_patient_is_told(
    start_node: StartNode, associate: Associate, ct: Path, bone_scan: Path, tmp_path: Path
) -> None:
    node = start_node("--dry-run")
    files = another_study(ct, tmp_path / "ct_of_canary", "one")
    files += another_study(bone_scan, tmp_path / "scan_of_canary", "two")
    damaged = pydicom.dcmread(files[0])
    damaged.StudyInstanceUID = ""
    damaged.save_as(tmp_path / "damaged.dcm")
    association = associate(node)
    assert [stored(association, path) for path in files] == [0] * len(files)
    assert stored(association, tmp_path / "damaged.dcm") == 0xA900
    association.release()
    node.wait_for("event=refused")
    assert send(node.port, files) == 0
    node.wait_for("event=would", times=2)
    told = node.log + str(node.rows()) + str(node.files())
    assert not [word for word in CANARIES if word.lower() in told.lower()]


def test_strangers_without_a_certificate_are_not_heard(
    start_node: StartNode, associate: Associate, osteoserve: Command, tmp_path: Path
) -> None:
    made = osteoserve("credentials", "init", "-o", tmp_path / "tls", "--host", "localhost")
    assert made.returncode == 0, made.stderr
    files = {name: tmp_path / "tls" / name for name in ("server.crt", "server.key", "ca.crt")}
    node = start_node(
        *("--dry-run", "--dicom-tls-certificate", files["server.crt"]),
        *("--dicom-tls-key", files["server.key"], "--dicom-tls-ca", files["ca.crt"]),
    )
    assert echo(node.port) != 0, "without TLS"
    context = ssl.create_default_context(cafile=files["ca.crt"])
    with (
        socket.create_connection(("127.0.0.1", node.port), timeout=60) as peer,
        pytest.raises((ssl.SSLError, ConnectionResetError)),
        context.wrap_socket(peer, server_hostname="localhost") as stranger,
    ):
        # TLS 1.3 lets a client believe that it is connected until it reads.
        assert stranger.recv(1) == b"never"
    context.load_cert_chain(tmp_path / "tls/client.crt", tmp_path / "tls/client.key")
    ae = AE(ae_title="TESTSCU")
    ae.add_requested_context(Verification)
    association = ae.associate(
        "127.0.0.1", node.port, ae_title="OSTEOSERVE", tls_args=(context, "localhost")
    )
    assert association.is_established
    assert association.send_c_echo().Status == 0
    association.release()
