"""How long to wait before something is tried again."""

from __future__ import annotations

FIRST_S = 1.0
LONGEST_S = 60.0


def delay_s(attempts: int, *, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> float:
    """Seconds until the next attempt: twice as long each time, up to a limit.

    Args:
        attempts: How many there were, at least 1.
        first_s: After the first.
        longest_s: Never more than this.
    """
    # Beyond the exponents of floats it is the limit in any case.
    return float(min(longest_s, first_s * 2.0 ** min(attempts - 1, 64)))
