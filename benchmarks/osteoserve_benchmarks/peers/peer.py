"""The peers: what each is, what it computes of a volume, and how to get it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from typing import Final, Protocol

from osteoserve_benchmarks.way import Way

#: What brings all peers.
REMEDY: Final = "pip install 'osteoserve[bench]'"


class PeerWay(Way, Protocol):
    """A peer with its network, whose weights are random: its files are another's, see `Way.run`."""

    def parameters(self) -> int:
        """Of its network."""
        ...


@dataclass(frozen=True)
class Peer:
    """A peer.

    Args:
        name: As the user and the JSON document call it.
        computes: Of a volume, in words.
        distribution: That it is in.
        module: That is imported.
        way: "module:class" of its `PeerWay`, which is made with an empty folder of its own.
    """

    name: str
    computes: str
    distribution: str
    module: str
    way: str

    @property
    def installed(self) -> bool:
        """Whether it can be run here."""
        return find_spec(self.module) is not None

    def make(self, scratch: Path) -> PeerWay:
        """The peer's way, loaded; for the process that runs it, whose standard output it takes.

        What peers say goes nowhere: they would say it between our tables.

        Args:
            scratch: Empty folder, for what it wants on disk.
        """
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        way: PeerWay = resolve_name(self.way)(scratch)
        return way


_PACKAGE: Final = "osteoserve_benchmarks.peers"

PEERS: Final = {
    peer.name: peer
    for peer in (
        Peer(
            name="totalsegmentator",
            computes="fast mode: 118 classes (117 and background) by a 3-D U-Net at 3 mm, one "
            "label map on the native grid",
            distribution="TotalSegmentator",
            module="totalsegmentator",
            way=f"{_PACKAGE}.totalsegmentator_fast:TotalSegmentatorFast",
        ),
        Peer(
            name="nnunet",
            computes="25 classes by a 3-D U-Net at 3 mm, 128-cubes that overlap by half, no "
            "mirroring; logits to the native grid",
            distribution="nnunetv2",
            module="nnunetv2",
            way=f"{_PACKAGE}.nnunet_predictor:NnunetPredictor",
        ),
        Peer(
            name="monai_3d",
            computes="2 classes by a 3-D U-Net at 1.5 x 1.5 x 2 mm, 96-cubes that overlap by a "
            "quarter; logits to the native grid",
            distribution="monai",
            module="monai",
            way=f"{_PACKAGE}.monai_unet:MonaiVolume",
        ),
        Peer(
            name="monai_2d",
            computes="2 classes by a 2-D U-Net, slice by slice on the native grid",
            distribution="monai",
            module="monai",
            way=f"{_PACKAGE}.monai_unet:MonaiSlices",
        ),
    )
}


def chosen(names: Sequence[str]) -> tuple[Peer, ...]:
    """The peers of these names, or all.

    Raises:
        ValueError: One is none; says which there are.
    """
    unknown = next((name for name in names if name not in PEERS), None)
    if unknown is not None:
        raise ValueError(f"{unknown} is no peer: there are {', '.join(PEERS)}")
    return tuple(PEERS[name] for name in dict.fromkeys(names or PEERS))
