"""One volume, by every way in turn: the measuring behind ``osteoserve bench volume``."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from osteoserve_benchmarks.agreement import dice
from osteoserve_benchmarks.files import checkpoint, model_folder, phantom_study
from osteoserve_benchmarks.floor import Floor, measure_floor
from osteoserve_benchmarks.in_process import InProcess
from osteoserve_benchmarks.machine import Machine, versions
from osteoserve_benchmarks.memory_watch import MemoryWatch
from osteoserve_benchmarks.ours import Ours
from osteoserve_benchmarks.plain import Plain
from osteoserve_benchmarks.processes import proportional_mb
from osteoserve_benchmarks.served import Served, serving
from osteoserve_benchmarks.tuned import Tuned
from osteoserve_benchmarks.way import LABEL_MAP, Say, model_line
from osteoserve_benchmarks.workers import Run, Worker
from osteoserve_client.service import Credentials
from osteoserve_preprocessing.profiles import BF16, CPU

#: In the order in which each round runs them.
OURS, PLAIN, TUNED, IN_PROCESS = WAYS = ("ours", "plain", "tuned", "in_process")

#: Bytes of a voxel on disk and in memory, int16.
VOXEL_BYTES: Final = 2


@dataclass(frozen=True)
class VolumeBenchmark:
    """What was measured.

    Args:
        slices: Of the volume, 512x512 each.
        rounds: How often each way ran, warm-up left out.
        runs: Of each way in `WAYS`, in order.
        floor: What the machine allows.
        floor_s: Seconds that the network's arithmetic and one copy of the voxels take at least.
        mask_dice: Agreement of the label map on disk with the plain way's, by way; NaN where
            neither holds a voxel.
        peak_rss_mb: Most memory, MB: of each way's process; and, where they were started here, of
            service and Triton together at one moment of the warm-up ("service"; "service_idle"
            for what they held before), since looking takes time.
        machine: Where.
        versions: Of what.
        same_engine: Whether the service answers with the very model, in the same precision, that
            ran in process; otherwise the two are not compared.
    """

    slices: int
    rounds: int
    runs: Mapping[str, tuple[Run, ...]]
    floor: Floor
    floor_s: float
    mask_dice: Mapping[str, float]
    peak_rss_mb: Mapping[str, float]
    machine: Machine
    versions: Mapping[str, str]
    same_engine: bool


def measure_volume(
    *,
    slices: int,
    rounds: int,
    server: str | None = None,
    credentials: Credentials | None = None,
    region: str = "whole_body",
    say: Say = lambda _: None,
) -> VolumeBenchmark:
    """Run every way once to warm up, then ``rounds`` times in turn.

    Args:
        slices: Of the phantom.
        rounds: How often.
        server: "HOST:PORT" of a running service; None starts one of its own.
        credentials: What that service asks for.
        region: Of the phantom's body.
        say: Told of each step.

    Raises:
        OsteoserveError: The service cannot be had, or the plain way's checkpoint is not there.
    """
    machine = Machine.here()
    with tempfile.TemporaryDirectory(prefix="osteoserve-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        service = stack.enter_context(serving(server, credentials))
        idle = service.total(proportional_mb)
        ours = Worker(partial(Ours, service.address, service.credentials))
        workers = {OURS: stack.enter_context(ours)}
        served = ours.ask("served")
        others = _others(BF16 if _arithmetic(served[1]) == BF16 else CPU)
        workers |= {way: stack.enter_context(Worker(make)) for way, make in others.items()}
        here = workers[IN_PROCESS].ask("served")
        say(f"phantom, {slices} slices")
        study = phantom_study(slices, folder / "study", region=region)
        most = _warm_up(workers, service, study, folder, say)
        runs = _in_turn(workers, study, folder, rounds, say)
        peaks = {way: worker.peak_rss_mb() for way, worker in workers.items()}
        say("the machine's floor")
        asked = workers[IN_PROCESS].ask("asked", study)
        flops = sum(count * workers[PLAIN].ask("flops", matrix) for matrix, count in asked.items())
        floor = workers[PLAIN].compute(measure_floor, _arithmetic(here[1]))
        copied = slices * 512 * 512 * VOXEL_BYTES
        return VolumeBenchmark(
            slices=slices,
            rounds=rounds,
            runs=runs,
            floor=floor,
            floor_s=floor.seconds(flops=flops, copied_bytes=copied),
            mask_dice={
                way: dice(folder / way / LABEL_MAP, folder / PLAIN / LABEL_MAP)
                for way in (OURS, TUNED)
            },
            peak_rss_mb=peaks | _named(most, idle),
            machine=machine,
            versions=versions() | {"model": model_line(served)},
            same_engine=served == here,
        )


def _warm_up(
    workers: Mapping[str, Worker], service: Served, study: Path, folder: Path, say: Say
) -> float | None:
    """Run every way once; the most that service and Triton held meanwhile, where they are ours."""
    watch = MemoryWatch(*service.processes())
    for way, worker in workers.items():
        (folder / way).mkdir()
        say(f"{way}, warm-up")
        with watch if way == OURS else nullcontext():
            worker.run(study, folder / way)
    return None if service.process is None else watch.most_mb


def _in_turn(
    workers: Mapping[str, Worker], study: Path, folder: Path, rounds: int, say: Say
) -> dict[str, tuple[Run, ...]]:
    runs: dict[str, list[Run]] = {way: [] for way in workers}
    for number in range(1, rounds + 1):
        for way, worker in workers.items():
            say(f"{way}, round {number} of {rounds}")
            runs[way].append(worker.run(study, folder / way))
    return {way: tuple(found) for way, found in runs.items()}


def _others(profile: str) -> dict[str, Callable[[], object]]:
    """The ways without the service; its engine in process by the same profile."""
    folder = model_folder()
    return {
        PLAIN: partial(Plain, checkpoint()),
        TUNED: partial(Tuned, folder / "1" / "model.onnx"),
        IN_PROCESS: partial(InProcess, folder, profile),
    }


def _named(peak: float | None, idle: float | None) -> dict[str, float]:
    if peak is None or idle is None:
        return {}
    return {"service": peak, "service_idle": idle}


def _arithmetic(precision: str) -> str:
    """What the sums are computed in: bf16 of "bf16, int8 weights"."""
    return precision.partition(",")[0]
