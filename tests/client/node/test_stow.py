"""STOW-RS against a server that answers what an archive may: every answer has one meaning."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage

from osteoserve_client.errors import DeliveryError, DeliveryRefusedError, UsageError
from osteoserve_client.node.stow import Stow, StowCredentials

INSTANCE = "1.2.3.4"


class Archive:
    """Answers one thing, and keeps what it was sent."""

    def __init__(self, status: int, answer: bytes) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        archive = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                archive.requests.append((self.path, dict(self.headers), body))
                self.send_response(status)
                self.send_header("Location", "http://192.0.2.1/")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/dicom-web"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


StartArchive = Callable[[int, bytes], Archive]


@pytest.fixture
def start_archive() -> Iterator[StartArchive]:
    with ExitStack() as stack:

        def start(status: int, answer: bytes) -> Archive:
            archive = Archive(status, answer)
            stack.callback(archive.close)
            return archive

        yield start


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = SegmentationStorage, INSTANCE
    dataset.save_as(tmp_path / "mask.dcm", enforce_file_format=True)
    return tmp_path / "mask.dcm"


def stored(instance: str) -> bytes:
    return json.dumps({"00081199": {"vr": "SQ", "Value": [item("00081155", instance)]}}).encode()


def failed(reason: int) -> bytes:
    return json.dumps({"00081198": {"vr": "SQ", "Value": [item("00081197", reason)]}}).encode()


def item(tag: str, value: object) -> dict[str, object]:
    return {tag: {"vr": "UI", "Value": [value]}}


def test_the_request_is_as_the_standard_says(start_archive: StartArchive, mask: Path) -> None:
    archive = start_archive(200, stored(INSTANCE))
    Stow(archive.url, StowCredentials("Bearer word")).send(mask)
    ((path, headers, body),) = archive.requests
    assert path == "/dicom-web/studies"
    assert headers["Authorization"] == "Bearer word"
    assert headers["Accept"] == "application/dicom+json"
    message = message_from_bytes(f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body)
    assert message.get_content_type() == "multipart/related"
    assert message.get_param("type") == "application/dicom"
    (part,) = message.get_payload()
    assert isinstance(part, type(message))
    assert part.get_content_type() == "application/dicom"
    assert mask.read_bytes() in body


@pytest.mark.parametrize(
    ("status", "answer"),
    [(200, stored(INSTANCE)), (202, stored(INSTANCE)), (409, failed(0x0111))],
)
def test_stored_or_there_already(
    start_archive: StartArchive, mask: Path, status: int, answer: bytes
) -> None:
    Stow(start_archive(status, answer).url, StowCredentials()).send(mask)


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, b""),
        (200, b"{}"),
        (200, b"<html>"),
        (200, b"[1, 2]"),
        (200, stored("9.9.9")),
        (401, b""),
        (429, b""),
        (503, b""),
    ],
)
def test_not_certain_so_it_is_tried_again(
    start_archive: StartArchive, mask: Path, status: int, answer: bytes
) -> None:
    stow = Stow(start_archive(status, answer).url, StowCredentials())
    with pytest.raises(DeliveryError) as raised:
        stow.send(mask)
    assert not isinstance(raised.value, DeliveryRefusedError)


@pytest.mark.parametrize(
    ("status", "answer"),
    [(409, failed(0xA900)), (302, b""), (400, b""), (415, b""), (202, failed(0xC000))],
)
def test_refused(start_archive: StartArchive, mask: Path, status: int, answer: bytes) -> None:
    stow = Stow(start_archive(status, answer).url, StowCredentials())
    with pytest.raises(DeliveryRefusedError):
        stow.send(mask)


def test_nobody_listens(mask: Path) -> None:
    with pytest.raises(DeliveryError, match="no answer"):
        Stow("http://127.0.0.1:9/dicom-web", StowCredentials()).send(mask)


@pytest.mark.parametrize(
    "url",
    [
        "pacs.example/dicom-web",
        "ftp://pacs.example/",
        "https://user:word@pacs.example/",
        "https://pacs.example/?token=word",
        "https://pacs.example:99999/",
        "https://pacs.example/a b",
        "",
    ],
)
def test_urls_that_are_none_or_hold_secrets(url: str) -> None:
    with pytest.raises(UsageError) as raised:
        Stow(url, StowCredentials())
    assert "word" not in str(raised.value).replace("password", "")


def test_secrets_do_not_travel_unencrypted() -> None:
    with pytest.raises(UsageError, match="https"):
        Stow("http://pacs.example/dicom-web", StowCredentials("Bearer word"))


def test_files_with_secrets_are_nobody_elses(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("user:word")
    path.chmod(0o644)
    with pytest.raises(UsageError, match="open to others"):
        StowCredentials.read(password=path)
    path.chmod(0o600)
    assert StowCredentials.read(password=path).header == "Basic dXNlcjp3b3Jk"
    assert "dXNlcjp3b3Jk" not in repr(StowCredentials.read(password=path))
    path.write_text("user")
    with pytest.raises(UsageError, match="does not hold"):
        StowCredentials.read(password=path)
