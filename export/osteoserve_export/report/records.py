"""Files and machines, as a report names them."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

#: Packages whose version a result may depend on.
PACKAGES: Final = (
    "osteoserve",
    "torch",
    "torchvision",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "openvino",
    "numpy",
)


@dataclass(frozen=True)
class FileRecord:
    """One file of the model.

    Args:
        path: Relative to the model's folder.
        size: Bytes.
        sha256: Hexadecimal digest.
    """

    path: str
    size: int
    sha256: str


def record(path: Path, root: Path) -> FileRecord:
    """Size and digest of a file."""
    content = path.read_bytes()
    return FileRecord(
        path.relative_to(root).as_posix(), len(content), hashlib.sha256(content).hexdigest()
    )


def software() -> Mapping[str, str]:
    """Versions of everything that a result may depend on."""
    return {"Python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def machine() -> Mapping[str, str]:
    """The processor, without the machine's name."""
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
