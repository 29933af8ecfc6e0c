"""Where the Tritons are: what ``--triton`` names, and the addresses behind a name of DNS."""

from __future__ import annotations

import asyncio
import errno
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from osteoserve_preprocessing.errors import OptionError

#: Before a name each of whose addresses is a Triton of its own, as in gRPC's name syntax.
EVERY_ADDRESS: Final = "dns:///"

_HOST_AND_PORT: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:/,\s]+):(?P<port>\d{1,5})")


@dataclass(frozen=True)
class Target:
    """One part of ``--triton``.

    Args:
        host: Name or address; IPv6 in brackets.
        port: Of Triton's gRPC.
        every_address: Whether each address of the name is a Triton of its own, as behind a
            headless service of Kubernetes; else there is one Triton, and gRPC finds its address.
    """

    host: str
    port: int
    every_address: bool = False

    def __str__(self) -> str:
        """As it is written on the command line."""
        return f"{EVERY_ADDRESS if self.every_address else ''}{self.host}:{self.port}"


#: "host:port" of every Triton of a target; raises OSError where its name cannot be resolved.
Resolve = Callable[[Target], Awaitable[tuple[str, ...]]]


def parse_targets(text: str) -> tuple[Target, ...]:
    """What ``--triton`` names: HOST:PORT, several with commas between, or dns:///NAME:PORT.

    Raises:
        OptionError: A part is neither.
    """
    return tuple(dict.fromkeys(map(_parse, text.split(","))))


def _parse(part: str) -> Target:
    part = part.strip()
    found = _HOST_AND_PORT.fullmatch(part.removeprefix(EVERY_ADDRESS))
    if found is None or not 0 < int(found["port"]) <= 65535:
        raise OptionError(
            f"--triton takes HOST:PORT, several with commas between, or "
            f"{EVERY_ADDRESS}NAME:PORT; not {part!r}"
        )
    return Target(found["host"], int(found["port"]), part.startswith(EVERY_ADDRESS))


async def addresses(target: Target) -> tuple[str, ...]:
    """The Tritons of a target, "host:port", sorted.

    Raises:
        OSError: Its name has no address, or nobody who knows it answers.
    """
    if not target.every_address:
        return (str(target),)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            target.host.strip("[]"), target.port, type=socket.SOCK_STREAM
        )
    except UnicodeError as error:  # of names that no DNS can hold
        raise OSError(errno.EINVAL, str(error)) from error
    return tuple(sorted({_written(family, place) for family, _, _, _, place in found}))


def _written(family: int, place: tuple[object, ...]) -> str:
    host, port = place[:2]
    return f"[{host}]:{port}" if family == socket.AF_INET6 else f"{host}:{port}"
