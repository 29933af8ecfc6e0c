"""The table of errors is complete, and what is unknown says nothing."""

from __future__ import annotations

import logging
import re

import grpc
import pytest

from osteoserve_preprocessing import errors
from osteoserve_preprocessing.server.status import STATUS, refusal


def every_error() -> list[type[errors.PreprocessingError]]:
    found = [errors.PreprocessingError]
    for kind in found:
        found.extend(sub for sub in kind.__subclasses__() if sub not in found)
    return found[1:]


@pytest.mark.parametrize("kind", every_error())
def test_every_error_has_a_status(kind: type[errors.PreprocessingError]) -> None:
    assert kind in STATUS
    assert refusal(kind("the reason"), retry_after_s=7).code is STATUS[kind]
    assert refusal(kind("the reason"), retry_after_s=7).details == "the reason"


@pytest.mark.parametrize("error", [RuntimeError("Mustermann"), errors.PreprocessingError("x")])
def test_the_unknown_becomes_an_id_and_the_log_holds_the_rest(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        end = refusal(error, retry_after_s=7)
    assert end.code is grpc.StatusCode.INTERNAL
    assert re.fullmatch("internal error [0-9a-f]{32}", end.details)
    incident = end.details.split()[-1]
    assert incident in caplog.text
    assert caplog.records[0].exc_info is not None


def test_a_message_is_one_line() -> None:
    assert refusal(errors.UploadError("a\n b"), retry_after_s=7).details == "a b"


def test_the_busy_are_told_when_to_come_back() -> None:
    metadata = dict(refusal(errors.BusyError("full"), retry_after_s=7).metadata)
    assert metadata == {"retry-after-s": "7", "grpc-retry-pushback-ms": "7000"}
    assert refusal(errors.UploadError("bad"), retry_after_s=7).metadata == ()
