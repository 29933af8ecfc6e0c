"""A measured volume with round numbers, for what is computed and said of one."""

from __future__ import annotations

from typing import Any

from osteoserve_benchmarks.floor import Floor
from osteoserve_benchmarks.machine import Machine
from osteoserve_benchmarks.volume import VolumeBenchmark
from osteoserve_benchmarks.workers import Run

SECONDS = {"plain": (24.0, 30.0, 27.0), "tuned": (8.0, 9.0, 10.0), "ours": (2.0, 4.0, 3.0)}
INFERENCE = (0.5, 1.5, 1.0)
SERVICE = (1.5, 2.5, 1.8)


def measured(**changes: Any) -> VolumeBenchmark:
    runs = {
        "ours": tuple(
            Run(whole, {"read": 0.25, "service": service, "write": 0.5, "service.inference": 1.0})
            for whole, service in zip(SECONDS["ours"], SERVICE, strict=True)
        ),
        "plain": tuple(Run(s, {"read": 1.0, "network": s - 1.0}) for s in SECONDS["plain"]),
        "tuned": tuple(Run(s, {"read": 1.0, "network": s - 1.0}) for s in SECONDS["tuned"]),
        # Reading is in the wall time of the first run, and is not what is compared.
        "in_process": tuple(Run(100.0, {"preprocess": 0.5, "inference": s}) for s in INFERENCE),
    }
    stated: dict[str, Any] = {
        "slices": 12,
        "rounds": 3,
        "runs": runs,
        "floor": Floor("fp32", gflops=200.0, copy_gb_s=10.0),
        "floor_s": 0.25,
        "mask_dice": {"ours": 0.9995, "tuned": 0.9996},
        "peak_rss_mb": {
            **dict.fromkeys(runs, 500.0),
            "service": 700.0,
            "service_idle": 300.0,
        },
        "machine": Machine("A processor", 2, ("avx2",), 16.0, 0.1, (), "Linux"),
        "versions": {"python": "3.11", "model": "unet_skeleton version 1, fp32, 0123"},
    }
    return VolumeBenchmark(**(stated | {"same_engine": True} | changes))
