"""AE titles, networks, and where masks are sent."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from osteoserve_client.errors import UsageError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: VR AE: up to 16 characters, no backslash, no control character (PS3.5 table 6.2-1).
_TITLE = re.compile(r"[ -\[\]-~]{1,16}")


class AeTitle:
    """What a DICOM application calls itself."""

    @staticmethod
    def check(title: str) -> str:
        """The title itself.

        Raises:
            UsageError: It is none.
        """
        if not _TITLE.fullmatch(title) or title != title.strip():
            raise UsageError(f"{title!r} is no AE title: 1 to 16 characters, no backslash")
        return title

    @staticmethod
    def shown(title: str) -> str:
        """For the log: a stranger may call itself anything."""
        plain = title.strip().replace(" ", "_")
        return plain if _TITLE.fullmatch(plain) and "=" not in plain else "?"


@dataclass(frozen=True)
class Peer:
    """A DICOM application that takes objects.

    Args:
        ae_title: Its AE title.
        host: Name or IP address.
        port: TCP port.
    """

    ae_title: str
    host: str
    port: int

    @classmethod
    def parsed(cls, text: str) -> Peer:
        """Of "AET@HOST:PORT".

        Raises:
            UsageError: It is written otherwise.
        """
        title, at, address = text.rpartition("@")
        host, _, port = address.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not at or not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
            raise UsageError(f"{text!r} is no destination: write AET@HOST:PORT")
        return cls(AeTitle.check(title), host, int(port))

    def __str__(self) -> str:
        return f"{self.ae_title}@{self.host}:{self.port}"


def network(text: str) -> Network:
    """Of an address, or of a network with its prefix.

    Raises:
        UsageError: It is neither.
    """
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is no address or network: write 10.1.2.3 or 10.1.2.0/24"
        ) from None
