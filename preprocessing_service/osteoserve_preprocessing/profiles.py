"""Deployment profiles: which configuration of each model Triton reads.

With ``--model-config-name=NAME`` it takes a model's ``configs/NAME.pbtxt``, and ``config.pbtxt``
where there is none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

#: Profiles of a CPU, and the word for whichever suits it. In "bf16", models whose export proved
#: that they answer alike in it compute in bf16, and others as in "cpu".
CPU, BF16, AUTO = "cpu", "bf16", "auto"

CPUINFO: Final = Path("/proc/cpuinfo")

#: Instructions, as Linux calls them, that multiply bf16; without them it gains nothing.
_BF16_FLAGS: Final = frozenset({"avx512_bf16", "amx_bf16"})


def processor_flags(cpuinfo: Path = CPUINFO) -> frozenset[str]:
    """Instructions that the processor has, by Linux's names; empty where it does not say."""
    for line in cpuinfo.read_text(encoding="utf-8").splitlines():
        if line.startswith(("flags", "Features")):
            return frozenset(line.partition(":")[2].split())
    return frozenset()


def computes_bf16(cpuinfo: Path = CPUINFO) -> bool:
    """Whether the processor multiplies in bf16."""
    return bool(_BF16_FLAGS & processor_flags(cpuinfo))


def chosen_profile(profile: str, cpuinfo: Path = CPUINFO) -> str:
    """The profile's name for Triton: where "auto" was asked for, the one that suits the CPU."""
    if profile != AUTO:
        return profile
    return BF16 if computes_bf16(cpuinfo) else CPU


def configuration_file(model: Path, profile: str) -> Path:
    """The file that Triton reads of a model's folder."""
    own = model / "configs" / f"{profile}.pbtxt"
    return own if own.is_file() else model / "config.pbtxt"
