"""``python -m tests.fuzz.harness TARGET --seconds N``: libFuzzer, through atheris, on one target.

Starts from the corpus that the repository keeps, and adds what it finds to a folder of its own.
What breaks a law is left there as ``crash-...``; ``docs/fuzzing.md`` says what to do with it.
"""

from __future__ import annotations

import argparse
import logging
import operator
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris
import numpy as np

#: Beyond these a target hangs, or takes memory without bound.
LONGEST_S, MOST_MIB = 20, 3072

CORPUS = Path(__file__).with_name("corpus")

#: By their numbers in CPython's bytecode (``dis.cmp_op``).
COMPARISONS = (operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge)


def main() -> None:
    asked = _asked()
    found = asked.work / asked.target
    logging.lastResort = None
    with atheris.instrument_imports(
        include=["osteoserve_client", "osteoserve_preprocessing", "pydicom", "nibabel", "PIL"]
    ):
        from tests.fuzz.targets import TARGETS
    target: Callable[[bytes], None] = TARGETS[asked.target]
    if asked.input is not None:
        target(asked.input.read_bytes())
        return
    found.mkdir(parents=True, exist_ok=True)
    started: list[bool] = []

    def observed(data: bytes) -> None:
        if not started:  # atheris sets what is replaced here once more, just before
            started.append(True)
            _forget_arrays()
        target(data)

    atheris.Setup(
        [
            *(sys.argv[0], str(found), str(CORPUS / asked.target)),
            *(f"-max_total_time={asked.seconds}", f"-artifact_prefix={found}/"),
            *(f"-timeout={LONGEST_S}", f"-rss_limit_mb={MOST_MIB}", "-max_len=65536"),
            *("-print_final_stats=1", f"-seed={asked.seed}"),
        ],
        observed,
    )
    atheris.Fuzz()


def _forget_arrays() -> None:
    """Have arrays compared unobserved.

    atheris 3.0.0 keeps the result of every comparison that it observes for ever. Of arrays that
    fills the memory: half a megabyte with each volume, until it looks as if a target did.
    """
    observed = atheris._trace_cmp

    def compared(left: Any, right: Any, operation: int, *place: Any) -> Any:
        if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
            return COMPARISONS[operation](left, right)
        return observed(left, right, operation, *place)

    atheris._trace_cmp = compared


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("target", choices=sorted(p.name for p in CORPUS.iterdir()))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="0 takes another one each time")
    parser.add_argument("--input", type=Path, help="run the target once, on this file")
    parser.add_argument("--work", type=Path, default=Path(".fuzz"), help="for what is found")
    return parser.parse_args()


if __name__ == "__main__":
    main()
