"""What the machine itself allows: its fastest matrix product and its fastest copy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Final

#: Side of the matrices whose product is timed, as in the project's first measurements.
SIDE: Final = 2048
#: Bytes that are copied: beyond every cache.
COPIED: Final = 1 << 28
#: The fastest of so many counts: a floor is what the machine can do, not what it does on average.
REPEATS: Final = 5


@dataclass(frozen=True)
class Floor:
    """Two limits of a machine.

    Args:
        precision: Of the product, "fp32" or "bf16".
        gflops: 10^9 additions and multiplications a second, all cores.
        copy_gb_s: 10^9 bytes a second, all cores; what is read and what is written both count.
    """

    precision: str
    gflops: float
    copy_gb_s: float

    def seconds(self, *, flops: float, copied_bytes: float) -> float:
        """The least that some work can take here.

        Args:
            flops: Additions and multiplications.
            copied_bytes: That must be copied once.
        """
        return flops / (self.gflops * 1e9) + 2 * copied_bytes / (self.copy_gb_s * 1e9)


def measure_floor(precision: str) -> Floor:
    """Time a product in PyTorch, in the precision that the network is served in, and a copy.

    Args:
        precision: "fp32" or "bf16".
    """
    import torch

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    one, other = (torch.ones(SIDE, SIDE, dtype=dtype) for _ in range(2))
    product = _fastest(lambda: torch.mm(one, other))
    source = torch.ones(COPIED, dtype=torch.uint8)
    target = torch.empty_like(source)
    copy = _fastest(lambda: target.copy_(source))
    return Floor(precision, 2 * SIDE**3 / product / 1e9, 2 * COPIED / copy / 1e9)


def _fastest(work: Callable[[], object]) -> float:
    work()
    times = []
    for _ in range(REPEATS):
        began = perf_counter()
        work()
        times.append(perf_counter() - began)
    return min(times)
