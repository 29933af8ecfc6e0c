"""Whatever way the program ends that started a Triton, nothing of it is left."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import signal
import sys
from pathlib import Path
from osteoserve_preprocessing.triton import EmbeddedTriton

# A shell starts what runs in its background with SIGINT ignored; children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
triton = EmbeddedTriton(Path(sys.argv[1]))
triton.start()
print(triton.grpc_address, flush=True)
sys.stdin.read()
if sys.argv[2] == "raise":
    raise RuntimeError("on purpose")
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, write_model: Any) -> Path:
    folder = tmp_path_factory.mktemp("models-of-a-parent")
    write_model(folder / "box")
    return folder


@pytest.mark.parametrize("end", ["SIGKILL", "SIGTERM", "SIGINT", "return", "raise"])
def test_nothing_is_left(
    repository: Path,
    end: str,
    processes_below: Callable[[int], list[Any]],
    no_trace_left: Callable[[], None],
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(repository), end],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdin is not None
        assert parent.stdout.readline().startswith(b"127.0.0.1:")
        assert len(processes_below(parent.pid)) == 3  # guardian, tritonserver, stub
        if end.startswith("SIG"):
            parent.send_signal(signal.Signals[end])
        else:
            parent.stdin.close()
        parent.wait()
    no_trace_left()
