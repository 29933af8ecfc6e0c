"""Questions about the machine, answered without starting anything of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from osteoserve_preprocessing.profiles import CPUINFO, processor_flags
from osteoserve_preprocessing.server.doctor.findings import Finding, State

MEBIBYTE = 1 << 20

#: Triton's Python backend moves tensors through shared memory, and what does not fit there
#: fails. Docker's default of 64 MiB breaks tensors of 70 MiB.
LEAST_SHARED_MEMORY, GOOD_SHARED_MEMORY = 64 * MEBIBYTE, 512 * MEBIBYTE

#: Private backend directory and logs of the embedded Triton.
LEAST_TEMPORARY = 256 * MEBIBYTE

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - this is what is examined


def numpy_version() -> Finding:
    """With NumPy 2, outputs of Triton's Python backend are silently zero."""
    subject, version = "NumPy", np.__version__
    if int(version.split(".")[0]) >= 2:
        return Finding(
            subject,
            State.BROKEN,
            f"{version}: Triton's Python backend would answer zeros",
            "pip install 'numpy<2'",
        )
    return Finding(subject, State.OK, version)


def shared_memory(folder: Path = SHARED_MEMORY) -> Finding:
    """Whether tensors fit."""
    subject, remedy = str(folder), "docker run --shm-size=1g, or mount -o remount,size=1g /dev/shm"
    if not folder.is_dir():
        return Finding(subject, State.BROKEN, "absent", "mount -t tmpfs tmpfs /dev/shm")
    free = shutil.disk_usage(folder).free
    detail = f"{free // MEBIBYTE} MiB free"
    if free < LEAST_SHARED_MEMORY:
        return Finding(subject, State.BROKEN, detail, remedy)
    if free < GOOD_SHARED_MEMORY:
        return Finding(subject, State.NOTE, f"{detail}; large batches may fail", remedy)
    return Finding(subject, State.OK, detail)


def cpu(cpuinfo: Path = CPUINFO) -> Finding:
    """Which instructions the network can use."""
    subject, cores = "CPU", len(os.sched_getaffinity(0))
    flags = processor_flags(cpuinfo)
    names = {
        "avx2": "AVX2",
        "avx512f": "AVX-512",
        "avx512_bf16": "AVX-512 bf16",
        "amx_bf16": "AMX bf16",
    }
    known = [name for flag, name in names.items() if flag in flags]
    detail = f"{cores} core(s), {', '.join(known) or 'none of AVX2, AVX-512, AMX'}"
    if "avx2" not in flags:
        return Finding(
            subject, State.NOTE, detail, "inference will be slow; choose a CPU with AVX2 or newer"
        )
    return Finding(subject, State.OK, detail)


def gpu(profile: str) -> Finding:
    """Whether the driver sees a GPU; needed by the profile "gpu" only."""
    subject, needed = "GPU", profile == "gpu"
    absent = State.BROKEN if needed else State.OK
    program = shutil.which("nvidia-smi")
    if program is None:
        remedy = "install NVIDIA's driver, or serve --profile cpu" if needed else ""
        return Finding(subject, absent, "no NVIDIA driver (nvidia-smi) here", remedy)
    query = [program, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        return Finding(subject, State.BROKEN, "nvidia-smi hangs", "restart the driver")
    names = "; ".join(answer.stdout.split("\n")).strip("; ")
    if answer.returncode or not names:
        words = (answer.stdout + answer.stderr).strip().splitlines()
        return Finding(
            subject,
            State.BROKEN if needed else State.NOTE,
            f"nvidia-smi fails: {words[0] if words else answer.returncode}",
            "match the driver's kernel module and libraries; in Docker: --gpus all",
        )
    return Finding(subject, State.OK, names)


def temporary_folder() -> Finding:
    """Whether the embedded Triton can lay out its backends."""
    folder = Path(tempfile.gettempdir())
    subject, free = f"temporary folder {folder}", shutil.disk_usage(folder).free
    remedy = "set TMPDIR to a folder with space, where programs may be executed"
    if not os.access(folder, os.W_OK):
        return Finding(subject, State.BROKEN, "not writable", remedy)
    if os.statvfs(folder).f_flag & os.ST_NOEXEC:
        return Finding(subject, State.BROKEN, "mounted noexec", remedy)
    if free < LEAST_TEMPORARY:
        return Finding(subject, State.BROKEN, f"{free // MEBIBYTE} MiB free", remedy)
    return Finding(subject, State.OK, f"{free // MEBIBYTE} MiB free")
