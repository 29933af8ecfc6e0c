"""Associations that are open, what each has brought, and how each ended."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field

from pynetdicom.association import Association

from osteoserve_client.node.instances import SeriesKey


@dataclass(eq=False)
class Visit:
    """One association.

    Args:
        caller: The peer's AE title.
        address: Its IP address.
        name: In the log, and in the names of markers.
        series: What it brought, and how many instances of it.
        new: How many of them were not there yet.
        refused: How many instances were refused.
        arriving: Bytes of the instance that is arriving just now.
        whole: False once an instance was refused that belongs to no series that can be named.
        aborted: Whether the node has put an end to it.
        released: Whether the peer has ended it as it should.
        broken: Whether either side has aborted it.
    """

    caller: str
    address: str
    name: str = field(default_factory=lambda: secrets.token_hex(4))
    series: dict[SeriesKey, int] = field(default_factory=dict)
    new: int = 0
    refused: int = 0
    arriving: int = 0
    whole: bool = True
    aborted: bool = False
    released: bool = False
    broken: bool = False


class Associations:
    """Those that were accepted and of whose end nobody has been told."""

    def __init__(self) -> None:
        self._visits: dict[Association, Visit] = {}
        self._changing = threading.Lock()

    def accepted(self, association: Association, *, caller: str, address: str) -> None:
        """Begin to keep one."""
        with self._changing:
            self._visits[association] = Visit(caller, address)

    def __getitem__(self, association: Association) -> Visit:
        with self._changing:
            return self._visits[association]

    def get(self, association: Association) -> Visit | None:
        """One of them; None before it was accepted."""
        with self._changing:
            return self._visits.get(association)

    def living(self) -> frozenset[str]:
        """Names of those that are kept."""
        with self._changing:
            return frozenset(visit.name for visit in self._visits.values())

    def ended(self) -> list[Visit]:
        """Those that have ended, in whatever way; they are no longer kept.

        There are ends of which pynetdicom's events say nothing: then its thread has ended.
        """
        with self._changing:
            over = [
                each
                for each, visit in self._visits.items()
                if visit.released or visit.broken or not each.is_alive()
            ]
            return [self._visits.pop(each) for each in over]
