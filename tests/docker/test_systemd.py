"""The systemd unit: it parses, it may do little, and the service runs with as little."""

from __future__ import annotations

import ctypes.util
import re
import shlex
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from osteoserve_client.local_service import LocalService
from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.server import Limits
from tests.docker.deployment import DOCKER, ROOT, deployed, program
from tests.docker.test_commands import parse
from tests.preprocessing.conftest import box_network, write_one_model

UNIT = DOCKER / "systemd" / "osteoserve.service"

#: Exposure, of 0 to 100, that systemd-analyze may find at most; version 252 finds 14.
EXPOSURE = 20


def settings(text: str) -> dict[str, list[str]]:
    """Every value of every setting."""
    found = defaultdict(list)
    for line in text.replace("\\\n", "").splitlines():
        name, assigned, value = line.partition("=")
        if assigned and not name.startswith("#"):
            found[name].append(value.strip())
    return found


SETTINGS = settings(UNIT.read_text())
(COMMAND,) = (shlex.split(line) for line in SETTINGS["ExecStart"])


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program("systemd-analyze", "nothing, but apt-get install systemd"), *arguments],
        capture_output=True,
        text=True,
    )


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The same, with a command that is there."""
    there = tmp_path / UNIT.name
    there.write_text(UNIT.read_text().replace(COMMAND[0], sys.executable))
    return there


def test_systemd_understands_it(unit: Path) -> None:
    checked = analyze("verify", str(unit))
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    unit.write_text(unit.read_text().replace("ProtectSystem", "ProtectSytem"))
    assert "ProtectSytem" in analyze("verify", str(unit)).stderr


def test_it_may_do_little(unit: Path) -> None:
    checked = ("security", "--offline=true", f"--threshold={EXPOSURE}", str(unit))
    assert analyze(*checked).returncode == 0, analyze(*checked).stdout
    unit.write_text(re.sub(r"^(Protect|Capability).*\n", "", unit.read_text(), flags=re.M))
    assert analyze(*checked).returncode == 1


def test_the_command_is_one_that_the_service_takes() -> None:
    assert COMMAND[0] == "/opt/osteoserve/bin/osteoserve"
    parse(["osteoserve", *COMMAND[1:]])
    compose = deployed("compose.cpu.yaml")["osteoserve"]["command"]
    assert {word.partition("=")[0] for word in COMMAND[1:]} == {
        w.partition("=")[0] for w in compose
    }


def test_credentials_are_loaded_and_what_is_written_has_a_folder() -> None:
    loaded = dict(value.split(":") for value in SETTINGS["LoadCredential"])
    used = re.findall(r"\$\{CREDENTIALS_DIRECTORY\}/(\S+)", " ".join(COMMAND))
    assert sorted(loaded) == sorted(used)
    page = (ROOT / "docs" / "deploy.md").read_text()
    for name, source in loaded.items():
        assert source == f"/etc/osteoserve/{name}"
    assert "osteoserve credentials init -o /etc/osteoserve" in page
    assert "--tokens=/var/lib/osteoserve/tokens.json" in COMMAND
    assert "/var/lib/osteoserve/tokens.json" in page
    assert SETTINGS["LogsDirectory"] == ["osteoserve"]
    assert "--audit-log=/var/log/osteoserve/audit.jsonl" in COMMAND


def test_it_drains_before_it_is_killed() -> None:
    (seconds,) = SETTINGS["TimeoutStopSec"]
    # Triton's own ten seconds come after.
    assert int(seconds) >= Limits().drain_s + 15
    # Triton must not end while the service drains.
    assert SETTINGS["KillMode"] == ["mixed"]


def system_calls(names: list[str], allowed: set[str]) -> set[str]:
    """As systemd reads SystemCallFilter=."""
    for name in names:
        taken_out = name.startswith("~")
        calls = members(name.removeprefix("~"))
        allowed = allowed - calls if taken_out else allowed | calls
    return allowed


def members(name: str) -> set[str]:
    if not name.startswith("@"):
        return {name}
    lines = analyze("syscall-filter", name).stdout.splitlines()[1:]
    inside = {line.strip() for line in lines if line.strip() and not line.strip().startswith("#")}
    return {call for each in inside for call in members(each)}


@pytest.mark.slow
def test_the_service_and_its_triton_run_under_the_filter(tmp_path: Path) -> None:
    if ctypes.util.find_library("seccomp") is None:
        pytest.skip("libseccomp absent: apt-get install libseccomp2")
    allowed = system_calls(SETTINGS["SystemCallFilter"], members("@default"))
    assert {"openat", "execve", "prctl", "memfd_create"} <= allowed
    assert not {"mount", "ptrace", "chown", "setuid", "bpf"} & allowed
    write_one_model(tmp_path / "models" / "box", box_network())
    # On loopback, where it asks for no credentials.
    own = [word for word in COMMAND[1:] if word.partition("=")[0] == "--profile"]
    command = (
        *(sys.executable, str(Path(__file__).with_name("run_filtered.py")), ",".join(allowed)),
        *(sys.executable, "-m", "osteoserve_client", "serve", *own, "--port=0", "--announce"),
        f"--repository={tmp_path / 'models'}",
    )
    with (
        LocalService(log=tmp_path / "log", command=command) as local,
        ServiceClient(local.address) as client,
    ):
        assert [model.name for model in client.models()] == ["box"]
        # And the filter is there.
        status = Path(f"/proc/{local.process}/status").read_text()
    assert re.search(r"^Seccomp:\t2$", status, re.M)


def test_the_filter_filters() -> None:
    if ctypes.util.find_library("seccomp") is None:
        pytest.skip("libseccomp absent: apt-get install libseccomp2")
    allowed = system_calls(SETTINGS["SystemCallFilter"], members("@default"))
    helper = str(Path(__file__).with_name("run_filtered.py"))
    program = "import os; os.chown('/dev/null', -1, -1)"
    done = subprocess.run(
        [sys.executable, helper, ",".join(allowed), sys.executable, "-c", program],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "Operation not permitted" in done.stderr
