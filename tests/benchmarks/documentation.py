"""What docs/benchmarks.md says of JSON keys."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"


def documented_keys(heading: str) -> tuple[str, ...]:
    """Of the table under the heading that ends with these words."""
    text = DOCS.read_text(encoding="utf-8")
    below = re.split(rf"^#+ .*{re.escape(heading)}`?$", text, flags=re.MULTILINE)
    assert len(below) == 2, f"one heading must end with {heading!r}"
    section = re.split(r"^#", below[1], flags=re.MULTILINE)[0]
    return tuple(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
