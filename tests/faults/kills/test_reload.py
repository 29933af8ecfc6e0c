"""SIGHUP reloads the models: no call fails, no answer is of two, nothing broken is served."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.geometry import Volume
from tests.faults.kills.conftest import FIRST, MODEL, SECOND, first_network, second_network
from tests.faults.kills.held import HeldCall
from tests.faults.kills.service import Labels, RunningService, soon
from tests.preprocessing.conftest import (
    box_network,
    edit_one_configuration,
    tree_below,
    write_one_model,
)
from tests.traces import Traces

#: A word of the log's line about a reload, whatever came of it.
CAME_OF_IT = "reloaded"


def serve_instead(repository: Path, network: bytes) -> None:
    """Put another model into a repository, as an operator may: not in one step."""
    shutil.rmtree(repository / MODEL)
    write_one_model(repository / MODEL, network)


def reload(service: RunningService, *, within_s: float = 60.0) -> str:
    """Have the models reloaded; the log's line about what came of it."""
    before = len(service.log(CAME_OF_IT))
    service.send(signal.SIGHUP)
    assert soon(lambda: len(service.log(CAME_OF_IT)) > before, within_s=within_s)
    return service.log(CAME_OF_IT)[-1]


def answer_of(client: ServiceClient, study: Volume) -> tuple[str, Labels]:
    labels, report = client.segment(study, model=MODEL)
    return report.model.digest, labels


def tritons(service: RunningService) -> int:
    lines = [process.command for process in tree_below(service.process)]
    return sum("bin/tritonserver " in line and "guardian.py" not in line for line in lines)


class Caller(threading.Thread):
    """Asks again and again, and remembers every answer that is not the model's it names."""

    def __init__(self, service: RunningService, study: Volume, expected: dict[str, Labels]) -> None:
        super().__init__(daemon=True)
        self._service, self._study, self._expected = service, study, expected
        self._enough = threading.Event()
        self.answers: list[str] = []
        self.faults: list[str] = []
        self.start()

    def run(self) -> None:
        with self._service.client() as client:
            while not self._enough.is_set():
                try:
                    digest, labels = answer_of(client, self._study)
                except Exception as error:  # noqa: BLE001 - any is a failed call
                    self.faults.append(repr(error))
                else:
                    self.answers.append(digest)
                    if not np.array_equal(labels, self._expected[digest]):
                        self.faults.append(f"not the labels of {digest}")

    def stop(self) -> None:
        self._enough.set()
        self.join(60)


class Watcher(threading.Thread):
    """Asks for the health again and again, and remembers when it was not SERVING."""

    def __init__(self, service: RunningService) -> None:
        super().__init__(daemon=True)
        self._service = service
        self._enough = threading.Event()
        self.seen: list[bool] = []
        self.start()

    def run(self) -> None:
        while not self._enough.wait(0.1):
            self.seen.append(self._service.serving())

    def stop(self) -> None:
        self._enough.set()
        self.join(10)


@pytest.mark.slow
def test_no_call_fails_while_models_are_reloaded_again_and_again(
    start: Any, study: Volume, repository: Path, traces: Traces, rounds: int
) -> None:
    with start() as service, service.client() as client:
        expected = dict([answer_of(client, study)])
        serve_instead(repository, second_network())
        reload(service)
        expected |= dict([answer_of(client, study)])
        assert set(expected) == {FIRST, SECOND}
        assert not np.array_equal(expected[FIRST], expected[SECOND])
        callers = [Caller(service, study, expected) for _ in range(3)]
        watcher = Watcher(service)
        networks = itertools.cycle([first_network(), second_network()])
        for network in itertools.islice(networks, rounds):
            serve_instead(repository, network)
            service.send(signal.SIGHUP)  # is the first of two, or the same
            line = reload(service)
            assert hashlib.sha256(network).hexdigest()[:12] in line
        for each in (*callers, watcher):
            each.stop()
        assert [fault for caller in callers for fault in caller.faults] == []
        assert {digest for caller in callers for digest in caller.answers} == {FIRST, SECOND}
        assert watcher.seen
        assert all(watcher.seen)
        assert answer_of(client, study)[0] == hashlib.sha256(network).hexdigest()
        assert soon(lambda: tritons(service) == 1, within_s=20)
        service.stop()
    traces.check()


def test_a_call_ends_with_the_model_that_it_began_with(
    start: Any, study: Volume, repository: Path
) -> None:
    with start() as service, HeldCall(service.address, study, MODEL) as call:
        serve_instead(repository, second_network())
        assert SECOND[:12] in reload(service)
        with service.client() as client:
            assert answer_of(client, study)[0] == SECOND
        assert tritons(service) == 2
        assert call.digest() == FIRST
        assert soon(lambda: tritons(service) == 1, within_s=20)


def test_no_answer_names_a_model_that_did_not_give_it(
    start: Any, study: Volume, repository: Path
) -> None:
    """A Triton that is killed comes back with what then is in the repository."""
    with start() as service, HeldCall(service.address, study, MODEL) as call:
        serve_instead(repository, second_network())
        killed = service.pid_of("tritonserver")
        os.kill(killed, signal.SIGKILL)
        assert soon(partial(service.tells, "tritonserver", killed), within_s=5)
        assert soon(service.serving, within_s=30)
        with pytest.raises(grpc.RpcError) as caught:
            call.digest()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert "no Triton serves it any more as it was" in caught.value.details()
        with service.client() as client:
            assert answer_of(client, study)[0] == SECOND


def flip_a_bit(folder: Path) -> None:
    path = folder / "1" / "model.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)


def garble_the_configuration(folder: Path) -> None:
    (folder / "configs" / "cpu.pbtxt").write_text("input {")


def name_another_digest(folder: Path) -> None:
    def edit(config: Any) -> None:
        config.parameters["osteoserve.model_sha256"].string_value = "0" * 64

    edit_one_configuration(folder / "configs" / "cpu.pbtxt", edit)


def forget_the_contract(folder: Path) -> None:
    edit_one_configuration(
        folder / "configs" / "cpu.pbtxt", lambda config: config.ClearField("parameters")
    )


def answer_what_is_no_label(folder: Path) -> None:
    shutil.rmtree(folder)
    write_one_model(folder, box_network(value=7))


@pytest.mark.slow
def test_what_is_broken_leaves_the_old_models_serving(
    start: Any, study: Volume, repository: Path, tmp_path: Path
) -> None:
    breakages: dict[Callable[[Path], Any], str] = {
        flip_a_bit: "model random: DigestError",
        garble_the_configuration: "random",
        name_another_digest: "model random: DigestError",
        forget_the_contract: "model random: parameter osteoserve.contract",
        answer_what_is_no_label: "model random",
        shutil.rmtree: "no model",
    }
    with start() as service, service.client() as client:
        _, expected = answer_of(client, study)
        watcher = Watcher(service)
        for breakage, reason in breakages.items():
            breakage(repository / MODEL)
            line = reload(service)
            assert "ERROR" in line
            assert "not reloaded" in line
            assert reason in line
            digest, labels = answer_of(client, study)
            assert digest == FIRST
            np.testing.assert_array_equal(labels, expected)
            shutil.rmtree(repository / MODEL, ignore_errors=True)
            write_one_model(repository / MODEL, first_network())
        watcher.stop()
        assert all(watcher.seen)
        assert tritons(service) == 1
        assert not service.log("Traceback")
        serve_instead(repository, second_network())
        assert SECOND[:12] in reload(service)


def test_with_an_external_triton_it_is_asked_anew(start: Any, external_triton: str) -> None:
    with start("--triton", external_triton) as service:
        assert "box " in reload(service)
        assert service.serving()
