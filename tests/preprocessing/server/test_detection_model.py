"""A service beside whose segmentation model a detector is served: it says so, and holds up."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from osteoserve_client.errors import ServiceError
from osteoserve_client.local_service import LocalService
from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.errors import InferenceError
from osteoserve_preprocessing.geometry import Volume
from osteoserve_preprocessing.inference import DetectionContract, ModelContract
from osteoserve_preprocessing.server.canaries import INTERVAL_S, SeldomCanary
from osteoserve_preprocessing.server.doctor.findings import State
from osteoserve_preprocessing.server.doctor.serving import models
from osteoserve_preprocessing.server.settings import Settings
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory,
    write_model: Callable[..., Any],
    write_detector: Callable[..., DetectionContract],
) -> Path:
    folder = tmp_path_factory.mktemp("both") / "repository"
    write_model(folder / "box")
    write_detector(folder / "finder")
    return folder


@pytest.fixture(scope="module")
def address(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service, with a Triton of its own, that is SERVING."""
    runner = Path(__file__).with_name("run_service.py")
    command = (sys.executable, str(runner), json.dumps({"repository": str(repository)}))
    log = tmp_path_factory.mktemp("service") / "service.log"
    with ExitStack() as stack:
        yield stack.enter_context(LocalService(log=log, command=command)).address


@pytest.fixture
def client(address: str) -> Iterator[ServiceClient]:
    with ServiceClient(address) as connected:
        yield connected


def test_it_is_listed_with_its_modality(client: ServiceClient) -> None:
    box, finder = client.models()
    assert (box.name, box.modality, box.ready) == ("box", pb.MODALITY_CT, True)
    assert (finder.name, finder.modality, finder.ready) == ("finder", pb.MODALITY_NM, True)
    assert [label.name for label in finder.labels] == ["skull"]
    assert (finder.input, finder.output, finder.size_multiple) == ("views", "", 0)
    assert not finder.window_hu


def test_the_command_lists_it(address: str) -> None:
    command = [sys.executable, "-m", "osteoserve_client", "models", "--server", address]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    box, finder = listed.splitlines()
    assert "CT, window 0..300 HU" in box
    assert finder.startswith("finder v1  ready  fp32  NM  labels: 1 skull")


def test_a_volume_is_labelled_by_the_other(client: ServiceClient, volume: Volume) -> None:
    labels, _ = client.segment(volume, model="box")
    assert labels.shape == volume.geometry.shape


@pytest.mark.parametrize("call", ["segment", "preprocess"])
def test_a_volume_is_refused_in_one_line(client: ServiceClient, volume: Volume, call: str) -> None:
    with pytest.raises(ServiceError) as caught:
        getattr(client, call)(volume, model="finder")
    assert "model finder is for detection in NM images: it labels no CT volumes" in str(
        caught.value
    )
    assert len(str(caught.value).splitlines()) == 1
    assert client.models()


def test_the_doctor_finds_both_well(repository: Path) -> None:
    findings = models(Settings(repository=repository))
    assert [finding.state for finding in findings] == [State.OK, State.OK]
    assert "skull" in findings[1].detail


async def test_the_canary_of_a_detector_is_asked_seldom_but_at_once_after_a_failure(
    tmp_path: Path, write_detector: Callable[..., DetectionContract]
) -> None:
    contract = write_detector(tmp_path / "finder")
    now, asked, broken = 0.0, 0, False

    async def canary(_: ModelContract) -> None:
        nonlocal asked
        asked += 1
        if broken:
            raise InferenceError("nothing")

    seldom = SeldomCanary(canary, lambda: now)

    async def check() -> bool:
        seldom.alive(contract)
        await asyncio.sleep(0)
        return seldom.alive(contract)

    assert seldom.alive(contract) is False, "nothing was answered yet"
    assert await check()
    now = INTERVAL_S - 1
    assert await check()
    assert asked == 1
    now, broken = INTERVAL_S, True
    assert not await check()
    before = asked
    await check()
    assert asked > before
    broken = False
    assert await check()
    seldom.forget()
    assert not seldom.alive(contract)
    await seldom.end()
