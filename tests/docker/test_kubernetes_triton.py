"""A real tritonserver with the arguments of Kubernetes' deployment; its probes and metrics."""

from __future__ import annotations

import re
import secrets
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from osteoserve_preprocessing.inference import TritonSession
from osteoserve_preprocessing.triton.distribution import TritonDistribution
from tests.docker.deployment import program
from tests.docker.kustomize import overlay, pods
from tests.docker.test_kubernetes import adapter_rules
from tests.preprocessing.conftest import box_network, write_one_model

START_S = 120

#: Ports of the container, which here are others'.
PORTS = ("8000", "8001", "8002")


@pytest.fixture(scope="module")
def ports() -> dict[str, str]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in PORTS]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return {port: str(s.getsockname()[1]) for port, s in zip(PORTS, sockets, strict=True)}


def here(words: list[str], ports: dict[str, str]) -> list[str]:
    """The same words, on loopback and on other ports."""
    text = "\0".join(words).replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - taken out
    return re.sub("|".join(PORTS), lambda found: ports[found[0]], text).split("\0")


@pytest.fixture(scope="module")
def container() -> dict:
    (found,) = pods(overlay("gpu"))["triton"]["spec"]["containers"]
    return found


@pytest.fixture(scope="module")
def triton(container, ports, tmp_path_factory) -> Iterator[subprocess.Popen[bytes]]:
    folder: Path = tmp_path_factory.mktemp("triton")
    write_one_model(folder / "models" / "box", box_network())
    distribution = TritonDistribution.find()
    distribution.lay_out(folder / "backends")
    _, *arguments = here(container["args"], ports)
    changed = {"--model-repository": folder / "models", "--model-config-name": "cpu"}
    command = [
        str(distribution.server),
        *(word for word in arguments if word.partition("=")[0] not in changed),
        *(f"{option}={value}" for option, value in changed.items()),
        f"--backend-directory={folder / 'backends'}",
        f"--backend-config=python,shm-region-prefix-name=test_{secrets.token_hex(8)}_",
    ]
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(
            command, env=distribution.environment(), stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield running
    finally:
        running.terminate()
        assert running.wait(timeout=60) == 0, (folder / "log").read_text()


def probe(container: dict, name: str, ports: dict[str, str]) -> int:
    program("curl", "curl, by apt")
    command = here(container[name]["exec"]["command"], ports)
    return subprocess.run(command, capture_output=True).returncode


async def test_probes_and_the_autoscaler_s_metric(triton, container, ports):
    deadline = time.monotonic() + START_S
    while probe(container, "startupProbe", ports):
        assert triton.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert probe(container, "readinessProbe", ports) == 0
    assert probe(container, "livenessProbe", ports) == 0
    async with TritonSession(f"dns:///localhost:{ports['8001']}") as session:
        await session.canary(await session.contract("box"))
    address = f"http://127.0.0.1:{ports['8002']}/metrics"
    with urllib.request.urlopen(address, timeout=10) as answer:
        metrics = answer.read().decode()
    (rule,) = adapter_rules()
    for text in (rule["seriesQuery"], rule["metricsQuery"]):
        for name in re.findall(r"nv_\w+", text):
            assert re.search(rf'^{name}{{model="box",version="1"}} \d+$', metrics, re.M), name
            assert f"# TYPE {name} counter" in metrics
