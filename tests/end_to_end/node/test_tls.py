"""TLS on every way: from the scanner, to the service, to archives by DICOM and by DICOMweb."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from osteoserve_client.local_service import COMMAND, LocalService
from tests.end_to_end.node.conftest import StartNode
from tests.end_to_end.node.peers import (
    Archive,
    Orthanc,
    Program,
    Tls,
    TlsFront,
    echo,
    needs_dcmtk,
    needs_orthanc,
    password_file,
    send,
    until,
)
from tests.end_to_end.node.studies import another_study, instances, referenced
from tests.end_to_end.processes import Command

Options = tuple[str | Path, ...]


@pytest.fixture(scope="module")
def credentials(osteoserve: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of everybody; "strange" ones are of another authority."""
    folder = tmp_path_factory.mktemp("tls") / "credentials"
    made = [
        osteoserve("credentials", "init", "-o", folder),
        osteoserve("credentials", "init", "-o", folder.parent / "strange"),
        *(
            osteoserve(
                *("credentials", "certificate", "--authority", folder.parent / authority),
                *("--for", "node", "--name", name, "-o", folder),
            )
            for authority, name in (("credentials", "node"), ("strange", "stranger"))
        ),
    ]
    assert [each.returncode for each in made] == [0] * 4, [each.stderr for each in made]
    (folder.parent / "strange" / "ca.crt").rename(folder / "strange.crt")
    return folder


@pytest.fixture(scope="module")
def secured(credentials: Path) -> Iterator[Options]:
    """What a node needs to know of a service with TLS and tokens."""
    command = (
        *(*COMMAND, "--model", "unet_skeleton"),
        *("--tls-certificate", str(credentials / "server.crt")),
        *("--tls-key", str(credentials / "server.key")),
        *("--tokens", str(credentials / "tokens.json")),
    )
    with LocalService(command=command) as local:
        yield (
            *("--server", local.address, "--tls-ca", credentials / "ca.crt"),
            *("--token-file", credentials / "client.token"),
        )


def dicom_tls(credentials: Path, name: str, *, ca: str = "ca") -> Options:
    return (
        *("--dicom-tls-certificate", credentials / f"{name}.crt"),
        *("--dicom-tls-key", credentials / f"{name}.key"),
        *("--dicom-tls-ca", credentials / f"{ca}.crt"),
    )


@needs_dcmtk
@pytest.mark.slow
def test_a_study_goes_over_tls_from_the_scanner_to_the_archive(
    start_node: StartNode,
    started: Callable[[Program], Program],
    credentials: Path,
    secured: Options,
    ct: Path,
    tmp_path: Path,
) -> None:
    scanner, pacs = Tls(credentials, "client"), Tls(credentials, "server")
    archive = Archive(tmp_path, tls=pacs)
    started(archive)
    address = ("--send-tls", archive.address)
    node = start_node(*secured, *dicom_tls(credentials, "node"), *address)
    files = sorted(ct.iterdir())
    assert send(node.port, files) != 0, "without TLS"
    assert send(node.port, files, tls=Tls(credentials, "stranger")) != 0
    assert echo(node.port, tls=Tls(credentials, "client", ca="strange")) != 0, "is it the node?"
    assert send(node.port, files, tls=scanner) == 0
    node.wait_for("outcome=sent")
    (mask,) = archive.masks()
    assert referenced(mask) == instances(files)


@needs_dcmtk
@pytest.mark.slow
@pytest.mark.parametrize("shown", ["server", "stranger"])
def test_a_mask_waits_while_node_and_archive_do_not_trust_each_other(
    start_node: StartNode,
    started: Callable[[Program], Program],
    credentials: Path,
    secured: Options,
    ct: Path,
    tmp_path: Path,
    shown: str,
) -> None:
    """A certificate for servers alone, or an archive that is somebody else."""
    pacs = Tls(credentials, shown)
    archive = Archive(tmp_path, tls=pacs)
    started(archive)
    common = (*secured, "--retry-after", "0.5", "--send-tls", archive.address)
    own = "server" if shown == "server" else "node"
    node = start_node(*common, *dicom_tls(credentials, own))
    assert send(node.port, sorted(ct.iterdir()), tls=Tls(credentials, "client")) == 0
    node.wait_for("event=waits .*TLS does not agree", times=2)
    assert archive.masks() == []
    assert node.stop() == 0
    trusted = "ca" if shown == "server" else "strange"
    node = start_node(*common, *dicom_tls(credentials, "node", ca=trusted))
    node.wait_for("outcome=sent")
    assert len(archive.masks()) == 1


@needs_orthanc
@pytest.mark.slow
def test_masks_go_to_a_dicomweb_server_over_https_once_it_is_known(
    start_node: StartNode,
    started: Callable[[Program], Program],
    credentials: Path,
    secured: Options,
    ct: Path,
    tmp_path: Path,
) -> None:
    orthanc = Orthanc(tmp_path / "orthanc")
    started(orthanc)
    front = TlsFront(tmp_path, orthanc, Tls(credentials, "server"))
    started(front)
    another_study(ct, tmp_path / "ct", "https")
    orthanc.upload(tmp_path / "ct")
    common = (
        *(*secured, "--retry-after", "0.5", "--stow", front.url),
        *("--stow-password-file", password_file(tmp_path)),
    )
    node = start_node(*common, "--stow-ca", credentials / "strange.crt")
    orthanc.know_node(node.port)
    assert orthanc.forward_everything(("CT",))["FailedInstancesCount"] == 0
    node.wait_for("event=waits .*its certificate is not accepted")
    assert orthanc.series("SEG") == []
    assert node.stop() == 0
    node = start_node(*common, "--stow-ca", credentials / "ca.crt")
    node.wait_for("outcome=sent")
    (mask,) = until(lambda: orthanc.series("SEG"), "a mask")
    (image,) = orthanc.series("CT")
    assert mask["ParentStudy"] == image["ParentStudy"]
    assert "event=segmented" not in node.log, "it was made before"
