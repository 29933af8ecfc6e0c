"""A service of one's own: there when asked for, gone afterwards, clear when it fails."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from osteoserve_client.errors import ServiceUnavailableError
from osteoserve_client.local_service import LocalService

#: Children that keep to the protocol, or break it.
GOOD = """
import json, os, sys
print(json.dumps({"address": "127.0.0.1:%d" % os.getpid()}), flush=True)
sys.stdin.read()
"""
FAILING = """
import sys
print("first line", file=sys.stderr)
print("osteoserve: the reason", file=sys.stderr)
sys.exit(4)
"""
SLOW = "import time; time.sleep(60)"
STUBBORN = GOOD.replace("sys.stdin.read()", "import time; time.sleep(600)")
GARBLED = "print('hello', flush=True); import sys; sys.stdin.read()"


def command(program: str) -> tuple[str, ...]:
    return (sys.executable, "-c", program)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_the_child_serves_until_the_context_ends() -> None:
    with LocalService(command=command(GOOD)) as local:
        child = int(local.address.rpartition(":")[2])
        assert not gone(child)
    assert gone(child)


def test_the_child_is_gone_when_the_body_raises() -> None:
    local = LocalService(command=command(GOOD))

    def body() -> None:
        with local:
            raise RuntimeError("body")

    with pytest.raises(RuntimeError, match="body"):
        body()
    assert gone(int(local.address.rpartition(":")[2]))


def test_a_child_that_fails_is_quoted() -> None:
    with pytest.raises(
        ServiceUnavailableError, match=r"ended.*: osteoserve: the reason$"
    ) as caught:
        LocalService(command=command(FAILING)).__enter__()
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("program", [SLOW, "import time; print(); time.sleep(60)", GARBLED])
def test_a_child_that_does_not_get_ready_is_ended(program: str) -> None:
    began = time.monotonic()
    with pytest.raises(ServiceUnavailableError):
        LocalService(command=command(program), timeout_s=0.5, stop_timeout_s=0.5).__enter__()
    assert time.monotonic() - began < 5


def test_a_child_that_does_not_end_is_killed() -> None:
    with LocalService(command=command(STUBBORN), stop_timeout_s=0.2) as local:
        child = int(local.address.rpartition(":")[2])
    assert gone(child)


def test_the_log_is_kept_where_one_is_named(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    with pytest.raises(ServiceUnavailableError):
        LocalService(log=log, command=command(FAILING)).__enter__()
    assert log.read_text().splitlines() == ["first line", "osteoserve: the reason"]


def test_a_program_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(ServiceUnavailableError):
        LocalService(command=(str(tmp_path / "absent"),)).__enter__()


def test_the_child_can_be_watched_while_it_runs() -> None:
    local = LocalService(command=command(GOOD))
    with local:
        assert local.process == int(local.address.rpartition(":")[2])
    with pytest.raises(ServiceUnavailableError, match="not started"):
        _ = local.process
