"""A client that is stopped, as by a debugger or a suspended laptop, keeps no place."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from osteoserve_preprocessing.geometry import Volume
from tests.faults.bounds.conftest import Watched
from tests.preprocessing.server.test_overload import enlarged, soon

CLIENT = Path(__file__).with_name("stopped_client.py")
ROOT = str(Path(__file__).resolve().parents[3])


@pytest.mark.parametrize("stage", ["STAGE_RECEIVING", "STAGE_PREPROCESSING"])
def test_a_stopped_client_loses_its_place(
    narrow: Watched, volume: Volume, stage: str, tmp_path: Path
) -> None:
    """While it sends, or while it should take an answer larger than what the transport holds."""
    np.save(tmp_path / "voxels.npy", enlarged(volume).voxels)
    before = len(narrow.calls())
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([ROOT, os.environ.get("PYTHONPATH", "")])
    }
    with subprocess.Popen(
        [sys.executable, str(CLIENT), narrow.address, str(tmp_path / "voxels.npy")],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as client:
        try:
            assert client.stdout is not None
            assert any(line.strip() == stage for line in client.stdout)
            client.send_signal(signal.SIGSTOP)
            assert soon(lambda: len(narrow.calls()) > before, seconds=60)
            assert "outcome=DEADLINE_EXCEEDED" in narrow.calls()[before]
            assert narrow.segment(volume).any()
        finally:
            client.kill()
