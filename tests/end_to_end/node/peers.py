"""Real peers of the node: DCMTK's programs, Orthanc, and the node itself as a process."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# By their full paths: the environment's own storescu is pynetdicom's.
STORESCU, ECHOSCU, STORESCP = (f"/usr/bin/{name}" for name in ("storescu", "echoscu", "storescp"))
ORTHANC = "/usr/sbin/Orthanc"
DICOMWEB = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"

needs_dcmtk = pytest.mark.skipif(
    not all(Path(program).exists() for program in (STORESCU, ECHOSCU, STORESCP)),
    reason="DCMTK's programs are absent: apt-get install dcmtk",
)
needs_orthanc = pytest.mark.skipif(
    not (Path(ORTHANC).exists() and Path(DICOMWEB).exists()),
    reason="Orthanc is absent: apt-get install orthanc orthanc-dicomweb",
)

#: Far beyond what anything takes on a quiet machine.
PATIENCE_S = 180.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(happened: Callable[[], Any], what: str, *, patience_s: float = PATIENCE_S) -> Any:
    """Wait until something is true, and return it."""
    deadline = time.monotonic() + patience_s
    while not (found := happened()):
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.1)
    return found


class Program:
    """A process whose output goes to a file."""

    def __init__(self, command: Iterable[str | Path], log: Path) -> None:
        self._log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [str(word) for word in command], stdout=output, stderr=output
            )

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_for(self, pattern: str, *, times: int = 1) -> list[str]:
        """Wait until the log matches."""

        def found() -> list[str]:
            matches = re.findall(pattern, self.log)
            assert len(matches) >= times or self.process.poll() is None, self.log
            return matches if len(matches) >= times else []

        return list(until(found, f"{pattern} in\n{self.log}\n"))

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """End it as an init system does."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(PATIENCE_S)


class Node(Program):
    """``osteoserve node``, listening."""

    def __init__(self, folder: Path, *options: str | Path, settle_s: float = 1.0) -> None:
        self.spool = folder / "spool"
        self._number = len(list(folder.glob("node*.log")))
        command = (sys.executable, "-m", "osteoserve_client", "node", "--port", "0")
        super().__init__(
            (*command, "--spool", self.spool, "--settle", str(settle_s), *options),
            folder / f"node{self._number}.log",
        )
        self.port = int(self.wait_for(r"event=listening .* port=(\d+)")[0])

    def rows(self) -> list[dict[str, Any]]:
        """What ``osteoserve node list`` says."""
        listed = subprocess.run(
            [
                *(sys.executable, "-m", "osteoserve_client", "node", "list", "--json"),
                *("--spool", str(self.spool)),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        found: list[dict[str, Any]] = json.loads(listed.stdout)
        return found

    def files(self) -> list[str]:
        """Names of all files in the spool."""
        return [str(path.relative_to(self.spool)) for path in self.spool.rglob("*")]


@dataclass(frozen=True)
class Tls:
    """What a peer shows, and whom it believes.

    Args:
        folder: Of certificates.
        name: Of its own.
        ca: Authority of the others'.
    """

    folder: Path
    name: str
    ca: str = "ca"

    @property
    def options(self) -> tuple[str, ...]:
        """Of DCMTK's programs, which ask the other side for a certificate, too."""
        key, certificate, ca = (
            str(self.folder / name)
            for name in (f"{self.name}.key", f"{self.name}.crt", f"{self.ca}.crt")
        )
        return ("+tls", key, certificate, "+cf", ca)


def echo(
    port: int, *, calling: str = "ECHOSCU", called: str = "OSTEOSERVE", tls: Tls | None = None
) -> int:
    options = tls.options if tls else ()
    return subprocess.run(
        [ECHOSCU, *options, "-aet", calling, "-aec", called, "127.0.0.1", str(port)],
        capture_output=True,
        check=False,
    ).returncode


def send(
    port: int, files: Iterable[Path], *, calling: str = "STORESCU", tls: Tls | None = None
) -> int:
    """Send by DCMTK; its exit code is 0 where all were stored."""
    titles = ("-aet", calling, "-aec", "OSTEOSERVE")
    return subprocess.run(
        [
            *(STORESCU, *(tls.options if tls else ()), *titles, "127.0.0.1", str(port)),
            *map(str, files),
        ],
        capture_output=True,
        check=False,
    ).returncode


class Archive(Program):
    """DCMTK's storescp as an archive that takes masks."""

    def __init__(self, folder: Path, port: int | None = None, *, tls: Tls | None = None) -> None:
        self.folder = folder / "archive"
        self.folder.mkdir(exist_ok=True)
        self.port = port or free_port()
        options = ("-v", *(tls.options if tls else ()), "-aet", "PACS", "-od", self.folder)
        super().__init__((STORESCP, *options, str(self.port)), folder / "archive.log")
        self.address = f"PACS@127.0.0.1:{self.port}"
        # Whoever asks may lack what a peer over TLS must show; that it answers is enough then.
        if tls:
            until(lambda: is_open(self.port), "storescp")
        else:
            until(lambda: echo(self.port, called="PACS") == 0, "storescp")

    def masks(self) -> list[Path]:
        return sorted(self.folder.iterdir())

    def received(self) -> int:
        """How many C-STORE requests came, those of the same mask included."""
        return self.log.count("Received Store Request")


class Orthanc(Program):
    """Orthanc with its DICOMweb plugin; asks for a password, as it does by default."""

    USER, PASSWORD = "viewer", "test-only"

    def __init__(self, folder: Path) -> None:
        self.port, self.http = free_port(), free_port()
        settings = {
            "Name": "Test",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "Plugins": [DICOMWEB],
            "DicomAet": "ORTHANC",
            "DicomPort": self.port,
            "HttpPort": self.http,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": True,
            "RegisteredUsers": {self.USER: self.PASSWORD},
            "DicomAlwaysAllowStore": True,
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
        folder.mkdir(exist_ok=True)
        (folder / "orthanc.json").write_text(json.dumps(settings))
        super().__init__((ORTHANC, folder / "orthanc.json"), folder / "orthanc.log")
        self.address, self.url = (
            f"ORTHANC@127.0.0.1:{self.port}",
            f"http://127.0.0.1:{self.http}/dicom-web",
        )
        self.wait_for("Orthanc has started")

    def ask(self, path: str, body: bytes | None = None, *, method: str | None = None) -> Any:
        """Its REST interface."""
        url = f"http://127.0.0.1:{self.http}{path}"
        request = urllib.request.Request(url, data=body, method=method)
        word = base64.b64encode(f"{self.USER}:{self.PASSWORD}".encode()).decode()
        request.add_header("Authorization", f"Basic {word}")
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own http
            return json.loads(answer.read() or b"null")

    def know_node(self, port: int) -> None:
        """Name the node as a place to send to."""
        place = {"AET": "OSTEOSERVE", "Host": "127.0.0.1", "Port": port}
        self.ask("/modalities/node", json.dumps(place).encode(), method="PUT")

    def forward_everything(self, modalities: tuple[str, ...] = ("CT", "NM")) -> Any:
        """Send every series of those modalities to the node; Orthanc's own account of it."""
        series = [each["ID"] for kind in modalities for each in self.series(kind)]
        order = {"Resources": series, "Synchronous": True}
        return self.ask("/modalities/node/store", json.dumps(order).encode())

    def upload(self, folder: Path) -> None:
        for path in sorted(folder.iterdir()):
            self.ask("/instances", path.read_bytes())

    def series(self, modality: str) -> list[dict[str, Any]]:
        query = {"Level": "Series", "Query": {"Modality": modality}, "Expand": True}
        found: list[dict[str, Any]] = self.ask("/tools/find", json.dumps(query).encode())
        return found


class TlsFront(Program):
    """Speaks TLS for a DICOMweb server."""

    def __init__(self, folder: Path, behind: Orthanc, tls: Tls) -> None:
        port = free_port()
        words = (tls.folder / f"{tls.name}.crt", tls.folder / f"{tls.name}.key", port, behind.http)
        script = Path(__file__).with_name("tls_front.py")
        super().__init__((sys.executable, script, *map(str, words)), folder / "front.log")
        self.url = f"https://localhost:{port}/dicom-web"
        until(lambda: is_open(port), "the front")


def password_file(folder: Path) -> Path:
    path = folder / "password"
    path.touch(mode=0o600)
    path.write_text(f"{Orthanc.USER}:{Orthanc.PASSWORD}\n")
    return path


def kill_quietly(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
