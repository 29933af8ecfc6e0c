"""Which machine a figure is of: processor, memory, software, and how busy it was with others."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

CPUINFO, MEMINFO = Path("/proc/cpuinfo"), Path("/proc/meminfo")

#: Version of what is measured and how: times of different ones are not compared. To be raised with
#: every change to the ways, the phantom or a benchmark that changes what its time is of.
MEASURE: Final = 1

#: Instructions that decide how fast a network runs.
FLAGS: Final = (
    "avx2",
    "fma",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx_vnni",
    "amx_tile",
    "amx_bf16",
    "amx_int8",
)

#: Distributions whose versions can change a figure.
DISTRIBUTIONS: Final = (
    "osteoserve",
    "torch",
    "onnxruntime",
    "openvino",
    "nvidia-pytriton",
    "tritonclient",
    "grpcio",
    "numpy",
    "scipy",
    "connected-components-3d",
    "pydicom",
    "highdicom",
    "nibabel",
)


@dataclass(frozen=True)
class Machine:
    """The machine, as it was when the measuring began.

    Args:
        cpu: Name of the processor.
        cores: That this process may run on.
        flags: Of `FLAGS`, those that it has.
        memory_gb: Of the machine, 10^9 bytes.
        load_average: Processes that wanted to run, mean of the minute before; well above 0 means
            that others were at work.
        gpu: Name and driver's version of each GPU; empty where there is none.
        system: Kernel and its version.
    """

    cpu: str
    cores: int
    flags: tuple[str, ...]
    memory_gb: float
    load_average: float
    gpu: tuple[str, ...]
    system: str

    @classmethod
    def here(cls) -> Machine:
        """This machine, now."""
        return cls(
            cpu=_first(CPUINFO, "model name") or platform.processor(),
            cores=len(os.sched_getaffinity(0)),
            flags=tuple(f for f in FLAGS if f in (_first(CPUINFO, "flags") or "").split()),
            memory_gb=round(int((_first(MEMINFO, "MemTotal") or "0").split()[0]) * 1024 / 1e9, 1),
            load_average=round(os.getloadavg()[0], 2),
            gpu=_gpus(),
            system=f"{platform.system()} {platform.release()}",
        )

    def document(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def versions() -> dict[str, str]:
    """Versions of the measuring, of Python and of everything that a figure depends on."""
    stated = {"measure": str(MEASURE), "python": platform.python_version()}
    return stated | {name: version(name) for name in DISTRIBUTIONS}


def _first(file: Path, key: str) -> str | None:
    """The first value of a key in a file of ``key : value`` lines."""
    for line in file.read_text().splitlines():
        name, colon, value = line.partition(":")
        if colon and name.strip() == key:
            return value.strip()
    return None


def _gpus() -> tuple[str, ...]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    query = [program, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    return tuple(answer.stdout.split("\n")[:-1]) if answer.returncode == 0 else ()
