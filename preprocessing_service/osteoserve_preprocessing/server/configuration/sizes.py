"""Sizes of memory as people write them."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Any, Final

import click

#: Binary only: what a decimal megabyte is, people do not agree on.
UNITS: Final = MappingProxyType({"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10})

_SIZE = re.compile(rf"(\d{{1,18}})\s?({'|'.join(UNITS)})?")


class Size(click.ParamType):  # type: ignore[type-arg]  # no generic before click 8.4
    """A number of bytes, with or without a unit."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes, from "512MiB", "1048576" or a number."""
        if isinstance(value, int):
            return value
        match = _SIZE.fullmatch(str(value))
        if not match:
            self.fail(f"{value!r} is no size such as 512MiB, 1GiB or 1048576", param, ctx)
        number, unit = match.groups()
        return int(number) * UNITS.get(unit, 1)


def shown(count: int) -> str:
    """The same number in the largest unit that needs no fraction."""
    for unit, size in UNITS.items():
        if count and count % size == 0:
            return f"{count // size}{unit}"
    return str(count)
