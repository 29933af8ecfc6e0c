"""Lines that a machine reads, that tell which request they are about, and nothing of a patient."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from osteoserve_client.errors import ServiceRefusedError
from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.inference.origin import ORIGIN, Origin
from osteoserve_preprocessing.server.observability.logs import JsonLines, TextLines
from osteoserve_preprocessing.server.threads import in_thread

ID = "5b1c09aa6f0e4d2b8a3c7e9d10f24b66"


def record(message: str, *args: Any, **more: Any) -> logging.LogRecord:
    return logging.LogRecord("a.b", logging.WARNING, __file__, 1, message, args, None, **more)


def test_every_line_is_an_object_with_the_same_keys(observed: Any, volume: Any) -> None:
    with ServiceClient(observed.address) as client:
        client.segment(volume, model="edges")
    lines = observed.lines()
    for line in lines:
        assert {"time", "level", "logger", "message"} <= set(line)
        assert datetime.fromisoformat(line["time"]).utcoffset() is not None
    call = [line for line in lines if line.get("call") == "Segment"][-1]
    assert (call["outcome"], call["reason"], call["model"], call["level"]) == (
        "OK",
        "-",
        "edges",
        "info",
    )
    assert call["shape"] == "x".join(map(str, volume.geometry.shape))
    assert call["stages"]["total"] <= call["seconds"] + 0.001
    assert call["client"] == ""


def test_nothing_that_was_typed_is_logged_even_when_debugging(observed: Any, volume: Any) -> None:
    assert any(line["level"] == "debug" for line in observed.lines())
    with ServiceClient(observed.address) as client:
        for call in (client.segment, client.preprocess):
            with pytest.raises(ServiceRefusedError):
                call(volume, model="Mustermann^Max")
        with pytest.raises(ServiceRefusedError):
            client.model("Born19700101")
    assert not re.search("mustermann|19700101", observed.service.log, re.I)


def test_values_of_a_message_are_keys_of_their_own() -> None:
    said = json.loads(JsonLines().format(record("call=%(call)s", {"call": "x", "seconds": 1.5})))
    assert said.pop("time")
    assert said == {
        "level": "warning",
        "logger": "a.b",
        "message": "call=x",
        "call": "x",
        "seconds": 1.5,
    }


def test_a_line_stays_one_line_and_holds_its_traceback() -> None:
    try:
        raise ValueError("a\nb\u2028c")
    except ValueError:
        line = JsonLines().format(logging.LogRecord("a", 40, "", 1, "x\ny", (), sys.exc_info()))
    assert len(line.splitlines()) == 1
    assert "ValueError" in json.loads(line)["exception"]


@pytest.mark.parametrize("lines", [JsonLines(), TextLines()])
def test_the_request_that_runs_is_in_every_line(lines: logging.Formatter) -> None:
    assert ID not in lines.format(record("outside"))
    token = ORIGIN.set(Origin(ID))
    try:
        assert ID in lines.format(record("inside %s", "a call"))
    finally:
        ORIGIN.reset(token)


async def test_so_it_is_in_the_threads_that_work_for_it() -> None:
    token = ORIGIN.set(Origin(ID))
    try:
        with ThreadPoolExecutor(1) as executor:
            line = await in_thread(executor, lambda: TextLines().format(record("inside")))
    finally:
        ORIGIN.reset(token)
    assert f"[{ID}] inside" in line


def test_text_is_what_people_read() -> None:
    line = TextLines().format(record("it %s", "works"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d [\d:,]+ WARNING \[-\] it works", line)


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        (("--log-format", "json", "--log-level", "error"), {}),
        ((), {"OSTEOSERVE_SERVE_LOG_FORMAT": "json", "OSTEOSERVE_SERVE_LOG_LEVEL": "error"}),
    ],
)
def test_the_command_takes_format_and_level(options: Any, variables: Any, tmp_path: Any) -> None:
    empty = tmp_path / "repository"
    empty.mkdir()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "osteoserve_client", "serve", "--port", "0"),
            *("--repository", str(empty), *options),
        ],
        capture_output=True,
        text=True,
        env=os.environ | variables,
        timeout=120,
    )
    assert done.returncode == 4
    # The one line of the command itself: nothing of level info before it.
    assert len(done.stderr.splitlines()) == 1
