"""Who asked for what: one line a request, and nothing of a patient."""

from __future__ import annotations

import hashlib
import json
import logging
import resource
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from osteoserve_client.errors import ServiceRefusedError
from osteoserve_client.service import Credentials, ServiceClient
from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.inference import SegmentationContract
from osteoserve_preprocessing.server.records import CallRecord
from osteoserve_preprocessing.server.security.audit import AuditLog
from osteoserve_preprocessing.server.stages import StageTime

FIELDS = [
    "time",
    "id",
    "client",
    "method",
    "model",
    "model_sha256",
    "input_sha256",
    "outcome",
    "seconds",
    "stages_s",
]


def record(**changes: Any) -> CallRecord:
    stated = {
        "method": "Segment",
        "outcome": "OK",
        "client": "radiology",
        "began": datetime(2026, 1, 2, 3, 4, 5, 6000, UTC),
        "seconds": 1.23456,
        "stages": (StageTime("queue", 0.0004), StageTime("total", 1.2)),
    }
    return CallRecord(**(stated | changes))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_request_leaves_one_line_that_says_what_was_done(
    token_service: Any, folder: Any, volume: Any, contract: SegmentationContract
) -> None:
    before = len(lines(token_service.audit))
    began = datetime.now(UTC)
    with ServiceClient(token_service.address, credentials=folder.with_token) as client:
        _, report = client.segment(volume, model="edges")
        client.preprocess(volume, model="edges")
        client.model("edges")
        client.models()
    segmented, preprocessed, one, every = lines(token_service.audit)[before:]
    sent = hashlib.sha256(volume.voxels.tobytes()).hexdigest()
    for line, method, digest in (
        (segmented, "Segment", sent),
        (preprocessed, "Preprocess", sent),
        (one, "GetModel", None),
    ):
        assert list(line) == FIELDS
        assert (line["method"], line["outcome"], line["client"]) == (method, "OK", "client")
        assert (line["model"], line["model_sha256"]) == ("edges", contract.digest)
        assert line["input_sha256"] == digest
        told = datetime.fromisoformat(line["time"])
        assert told.utcoffset() == timedelta(0)
        assert timedelta(seconds=-1) < told - began < timedelta(seconds=60)
    assert (every["method"], every["model"]) == ("ListModels", None)
    *reported, total = [stage.stage for stage in report.stages]
    assert list(segmented["stages_s"]) == [*reported, "send", total]
    assert segmented["id"] in token_service.service.log


def test_a_refused_request_leaves_one_too_without_what_it_said(
    token_service: Any, folder: Any, volume: Any
) -> None:
    before = len(lines(token_service.audit))
    known, bare = folder.with_token, Credentials(ca=folder["ca.crt"])
    for credentials in (known, bare):
        with (
            ServiceClient(token_service.address, credentials=credentials) as client,
            pytest.raises(ServiceRefusedError),
        ):
            client.segment(volume, model="Mustermann^Max")
    unknown, stranger = lines(token_service.audit)[before:]
    assert (unknown["client"], unknown["outcome"]) == ("client", "NOT_FOUND")
    assert (unknown["model"], unknown["input_sha256"]) == (None, None)
    assert (stranger["client"], stranger["outcome"]) == (None, "UNAUTHENTICATED")
    assert stranger["method"] == "Segment"
    assert "Mustermann" not in token_service.audit.read_text()


def test_it_is_only_ever_appended_to_and_only_the_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for _ in range(2):
        with AuditLog(path) as log:
            log.keep(record())
    first, second = lines(path)
    assert first["id"] != second["id"]
    assert {name: first[name] for name in FIELDS if name != "id"} == {
        "time": "2026-01-02T03:04:05.006+00:00",
        "client": "radiology",
        "method": "Segment",
        "model": None,
        "model_sha256": None,
        "input_sha256": None,
        "outcome": "OK",
        "seconds": 1.235,
        "stages_s": {"queue": 0.0, "total": 1.2},
    }
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_name_cannot_make_a_line_of_its_own(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "log") as log:
        log.keep(record(client='CN=x"}\n{"outcome": "OK\u2028'))
    assert len((tmp_path / "log").read_bytes().splitlines()) == 1


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="cannot be written to"):
        AuditLog(tmp_path / "absent" / "log")


def test_a_full_disk_is_said_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with AuditLog(Path("/dev/full")) as log, caplog.at_level(logging.ERROR):
        log.keep(record(id="0123abcd"))
    assert "id=0123abcd is not in the audit log: No space left" in caplog.text


def test_half_a_line_does_not_spoil_the_next(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "log"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with AuditLog(path) as log, caplog.at_level(logging.ERROR):
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
            log.keep(record())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        log.keep(record(client="next"))
    half, whole = path.read_text().splitlines()
    assert len(half) == 100
    assert json.loads(whole)["client"] == "next"
    assert "in part only" in caplog.text
