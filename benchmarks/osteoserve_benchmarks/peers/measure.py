"""Peers one after the other, then ours: the measuring behind ``osteoserve bench peers``."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

from safetensors.numpy import load_file

from osteoserve_benchmarks.files import checkpoint, phantom_study
from osteoserve_benchmarks.machine import Machine, versions
from osteoserve_benchmarks.memory_watch import MemoryWatch
from osteoserve_benchmarks.ours import Ours
from osteoserve_benchmarks.peers.peer import REMEDY, Peer
from osteoserve_benchmarks.served import serving
from osteoserve_benchmarks.way import Say, model_line
from osteoserve_benchmarks.workers import Run, Worker
from osteoserve_client.phantom import make_ct_phantom, write_dicom_study

OURS: Final = "osteoserve"
OURS_COMPUTES: Final = (
    "the skeleton by a 2-D U-Net on the native grid, without table; SEG, NIfTI and report"
)


@dataclass(frozen=True)
class Measured:
    """One system on the volume.

    Args:
        name: Its name.
        computes: Of the volume, in words.
        version: Of its distribution.
        parameters: Of its network.
        runs: From DICOM files to files on disk, warm-up left out.
        most_mb: That its processes held at one moment in these runs.
    """

    name: str
    computes: str
    version: str
    parameters: int
    runs: tuple[Run, ...]
    most_mb: float


@dataclass(frozen=True)
class PeersBenchmark:
    """What was measured.

    Args:
        slices: Of the volume, 512x512 each.
        rounds: How often each ran, warm-up left out.
        ours: We.
        peers: Those that ran, in order.
        left_out: Why each of the others did not, by name.
        machine: Where.
        versions: Of what.
    """

    slices: int
    rounds: int
    ours: Measured
    peers: tuple[Measured, ...]
    left_out: Mapping[str, str]
    machine: Machine
    versions: Mapping[str, str]


def measure_peers(
    peers: Sequence[Peer], *, slices: int, rounds: int, say: Say = lambda _: None
) -> PeersBenchmark:
    """Run ours and each peer, one after the other, so that none takes another's memory.

    Ours is warmed up by the volume itself; a peer, which may take minutes, by a small one.

    Args:
        peers: Which; those that are not installed are left out.
        slices: Of the phantom.
        rounds: How often each.
        say: Told of each step, and of what is left out.

    Raises:
        OsteoserveError: Our service cannot be had, or fails.
    """
    machine = Machine.here()
    left_out: dict[str, str] = {}

    def leave_out(peer: Peer, why: str) -> None:
        left_out[peer.name] = why
        say(f"{peer.name} is left out: {why}")

    with tempfile.TemporaryDirectory(prefix="osteoserve-bench-") as name:
        folder = Path(name)
        say(f"phantom, {slices} slices")
        study = phantom_study(slices, folder / "study")
        small = small_study(folder / "small")
        ours, served = _ours(study, folder, rounds, say)
        measured = []
        for peer in peers:
            if not peer.installed:
                leave_out(peer, f"it is not installed: {REMEDY}")
                continue
            try:
                measured.append(_peer(peer, study, small, folder, rounds, say))
            except BrokenProcessPool:
                leave_out(peer, "its process was killed, as for want of memory")
    return PeersBenchmark(
        slices=slices,
        rounds=rounds,
        ours=ours,
        peers=tuple(measured),
        left_out=left_out,
        machine=machine,
        versions=versions() | {"model": model_line(served)},
    )


def small_study(folder: Path) -> Path:
    """Write 8 slices of 128x128, 125 x 125 x 40 mm: no more than one patch of any peer."""
    phantom = make_ct_phantom(
        slices=8, rows=128, columns=128, slice_spacing_mm=5.0, region="pelvis"
    )
    write_dicom_study(phantom, folder)
    return folder


def _ours(
    study: Path, folder: Path, rounds: int, say: Say
) -> tuple[Measured, tuple[str, str, str]]:
    with (
        serving() as service,
        Worker(partial(Ours, service.address, service.credentials)) as worker,
    ):
        served = worker.ask("served")
        roots = () if service.process is None else (service.process,)
        runs, most_mb = _timed(OURS, worker, (study, study), folder, rounds, say, roots)
    return Measured(OURS, OURS_COMPUTES, version(OURS), _our_parameters(), runs, most_mb), served


def _our_parameters() -> int:
    """What was learnt: the running statistics of the normalisation are none."""
    weights = load_file(checkpoint())
    return sum(each.size for name, each in weights.items() if name.endswith(("weight", "bias")))


def _peer(peer: Peer, study: Path, small: Path, folder: Path, rounds: int, say: Say) -> Measured:
    scratch = folder / f"{peer.name}-scratch"
    scratch.mkdir()
    with Worker(partial(peer.make, scratch)) as worker:
        parameters = worker.ask("parameters")
        runs, most_mb = _timed(peer.name, worker, (small, study), folder, rounds, say)
    return Measured(
        name=peer.name,
        computes=peer.computes,
        version=version(peer.distribution),
        parameters=parameters,
        runs=runs,
        most_mb=most_mb,
    )


def _timed(
    name: str,
    worker: Worker,
    studies: tuple[Path, Path],
    folder: Path,
    rounds: int,
    say: Say,
    others: Sequence[int] = (),
) -> tuple[tuple[Run, ...], float]:
    """Warm up with the first study, time the second; the most memory of it and of the others."""
    warm_up, study = studies
    out = folder / name
    out.mkdir()
    say(f"{name}, warm-up")
    worker.run(warm_up, out)
    runs = []
    with MemoryWatch(worker.compute(os.getpid), *others) as watch:
        for number in range(rounds):
            say(f"{name}, round {number + 1} of {rounds}")
            runs.append(worker.run(study, out))
    return tuple(runs), watch.most_mb
