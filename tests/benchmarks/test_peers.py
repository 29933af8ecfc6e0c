"""Peers as context: what is said of them on made-up figures; and each for real, where installed."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from functools import partial
from io import StringIO
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from rich.console import Console

from osteoserve_benchmarks.cli import bench
from osteoserve_benchmarks.memory_watch import PERIOD_S, MemoryWatch
from osteoserve_benchmarks.peers.document import KEYS, SYSTEM_KEYS, peers_document
from osteoserve_benchmarks.peers.measure import Measured, PeersBenchmark, small_study
from osteoserve_benchmarks.peers.peer import PEERS, REMEDY, chosen
from osteoserve_benchmarks.peers.plot import plot
from osteoserve_benchmarks.peers.terminal import show
from osteoserve_benchmarks.workers import Run, Worker
from tests.benchmarks.documentation import documented_keys
from tests.benchmarks.loads import MACHINE, VERSIONS

ABSENT = replace(PEERS["nnunet"], module="no_such_package")


def system(name: str, *seconds: float) -> Measured:
    return Measured(
        name=name,
        computes=f"what {name} computes",
        version="1.2",
        parameters=16_600_000,
        runs=tuple(Run(s, {"read": 1.0, "network": s - 1.0}) for s in seconds),
        most_mb=2500.0,
    )


def measured_peers(**changes: Any) -> PeersBenchmark:
    stated: dict[str, Any] = {
        "slices": 12,
        "rounds": 3,
        "ours": system("osteoserve", 2.0, 4.0, 3.0),
        "peers": (system("nnunet", 200.0, 230.0, 210.0), system("monai_3d", 61.0, 52.0, 73.0)),
        "left_out": {"totalsegmentator": f"it is not installed: {REMEDY}"},
        "machine": MACHINE,
        "versions": VERSIONS,
    }
    return PeersBenchmark(**(stated | changes))


def test_every_documented_key_is_there_and_no_other() -> None:
    document = peers_document(measured_peers())
    assert tuple(document) == KEYS == documented_keys("bench peers")
    for each in (document["ours"], *document["peers"]):
        assert tuple(each) == SYSTEM_KEYS == documented_keys("A system")
    json.dumps(document, allow_nan=False)


def test_figures_are_medians_and_no_ratio_is_made() -> None:
    document = peers_document(measured_peers())
    assert document["ours"]["end_to_end_s"] == 3.0
    assert [peer["end_to_end_s"] for peer in document["peers"]] == [210.0, 61.0]
    assert document["peers"][0]["stages"] == {"read": 1.0, "network": 209.0}
    assert document["spread"]["nnunet.end_to_end_s"]["values"] == [200.0, 230.0, 210.0]
    assert document["versions"]["nnunet"] == "1.2"
    ratios = {61.0 / 3.0, 210.0 / 3.0, 3.0 / 61.0, 3.0 / 210.0}
    assert ratios.isdisjoint(_numbers(document))


def _numbers(value: Any) -> set[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return set().union(*map(_numbers, value))
    return {value} if isinstance(value, int | float) else set()


def test_the_table_says_what_each_computes_and_what_was_left_out() -> None:
    out = StringIO()
    show(peers_document(measured_peers()), Console(file=out))
    text = out.getvalue()
    for shown in (
        "what osteoserve computes",
        "what nnunet computes",
        "16.60",
        "210.00",
        "200.00 - 230.00",
        "2500",
        "totalsegmentator is left out: it is not installed: pip install 'osteoserve[bench]'",
        "A processor",
    ):
        assert shown in text


def test_the_plot_is_a_picture(tmp_path: Path) -> None:
    plot(peers_document(measured_peers()), tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as picture:
        assert picture.format == "PNG"
        assert len(picture.convert("L").getcolors(256) or ()) > 10


def test_all_are_run_unless_some_are_named() -> None:
    assert chosen(()) == tuple(PEERS.values())
    assert [peer.name for peer in chosen(("monai_2d", "nnunet", "monai_2d"))] == [
        "monai_2d",
        "nnunet",
    ]


def test_who_is_no_peer_is_refused() -> None:
    result = CliRunner().invoke(bench, ["peers", "--only", "nnunet,stranger"])
    assert result.exit_code == 2
    assert "stranger is no peer: there are totalsegmentator, nnunet" in result.output


def test_without_any_peer_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PEERS, "nnunet", ABSENT)
    result = CliRunner().invoke(bench, ["peers", "--only", "nnunet"])
    assert result.exit_code == 2
    assert f"none of nnunet is installed: {REMEDY}" in result.output.replace("\n", " ")


def test_memory_of_children_counts_while_they_live() -> None:
    with MemoryWatch(os.getpid()) as alone:
        pass
    program = "data = b'x' * 400_000_000; print(flush=True); input()"
    with (
        Popen([sys.executable, "-c", program], stdin=PIPE, stdout=PIPE) as child,
        MemoryWatch(os.getpid()) as watch,
    ):
        assert child.stdout is not None
        child.stdout.readline()
        deadline = time.monotonic() + 30
        while watch.most_mb < alone.most_mb + 300 and time.monotonic() < deadline:
            time.sleep(PERIOD_S)
        child.communicate(b"\n")
    assert watch.most_mb >= alone.most_mb + 300
    with MemoryWatch(os.getpid()) as after:
        pass
    assert 0 < after.most_mb <= watch.most_mb - 300


@pytest.mark.slow
@pytest.mark.parametrize("name", PEERS)
def test_a_peer_labels_the_volume_and_asks_nobody(name: str, tmp_path: Path) -> None:
    peer = PEERS[name]
    if not peer.installed:
        pytest.skip(f"{peer.distribution} is not installed: {REMEDY}")
    study = small_study(tmp_path / "study")
    for folder in ("scratch", "out"):
        (tmp_path / folder).mkdir()
    with Worker(partial(peer.make, tmp_path / "scratch")) as worker:
        worker.compute(_listen)
        run = worker.run(study, tmp_path / "out")
        parameters = worker.ask("parameters")
        asked = worker.compute(_asked)
    assert asked == []
    assert 1e6 < parameters < 1e8
    assert 0 < sum(run.stages.values()) <= run.seconds
    (image,) = (tmp_path / "out").glob("*.nii.gz")
    labels = np.asanyarray(nibabel.load(image).dataobj)
    assert labels.shape == (128, 128, 8)
    assert labels.dtype == np.uint8
    assert nibabel.load(image).header.get_zooms() == pytest.approx((0.9766, 0.9766, 5.0), rel=1e-3)


#: Hosts that the worker's process looked up or connected to.
_HOSTS: list[str] = []


def _listen() -> None:
    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.getaddrinfo":
            _HOSTS.append(str(arguments[0]))
        elif event == "socket.connect" and isinstance(arguments[1], tuple):
            _HOSTS.append(str(arguments[1][0]))

    sys.addaudithook(heard)


def _asked() -> list[str]:
    return _HOSTS


@pytest.mark.slow
def test_ours_and_a_peer_and_who_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not PEERS["monai_2d"].installed:
        pytest.skip(f"monai is not installed: {REMEDY}")
    monkeypatch.setitem(PEERS, "nnunet", ABSENT)
    file = tmp_path / "out.json"
    words = ["--slices", "4", "--rounds", "1", "--only", "monai_2d,nnunet", "--json", str(file)]
    result = CliRunner().invoke(bench, ["peers", *words])
    assert result.exit_code == 0, result.output
    document = json.loads(file.read_text(encoding="utf-8"))
    assert tuple(document) == KEYS
    assert document["left_out"] == {"nnunet": f"it is not installed: {REMEDY}"}
    assert f"nnunet is left out: it is not installed: {REMEDY}" in result.stderr
    (peer,) = document["peers"]
    assert peer["name"] == "monai_2d"
    assert list(peer["stages"]) == ["read", "network", "argmax", "write"]
    for each in (document["ours"], peer):
        assert each["end_to_end_s"] > 0
        assert each["peak_rss_mb"] > 4 * 512 * 512 * 2 / 1e6
    assert {path.name for path in tmp_path.iterdir()} == {"out.json", "out.png"}
