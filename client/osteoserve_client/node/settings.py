"""What the operator chooses."""

from __future__ import annotations

import ipaddress
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from osteoserve_client.errors import UsageError
from osteoserve_client.node.addresses import AeTitle, Network
from osteoserve_client.service.credentials import is_loopback

GIB = 1 << 30
DAY_S = 86400.0


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How much the node takes upon itself.

    Args:
        spool_bytes: Most that received and derived files may occupy.
        free_bytes: Least that must be left free on the spool's disk.
        instance_bytes: Most that one instance may measure.
        associations: Most associations at a time.
        pdu_bytes: Largest PDU that is taken (PS3.8 D.1).
        idle_s: An association on which nothing arrives for so long is aborted; also longest that
            a started PDU may take.
    """

    spool_bytes: int = 64 * GIB
    free_bytes: int = 2 * GIB
    instance_bytes: int = 2 * GIB
    associations: int = 10
    pdu_bytes: int = 128 * 1024
    idle_s: float = 60.0


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long the node waits, in seconds.

    Args:
        settle_s: A series is complete when no instance has come for so long.
        release: Whether its association must have been released besides.
        broken_off_s: For a sender that broke off in the middle of a series to come back.
        retry_s: Before a job is tried again for the first time; then twice as long each time.
        give_up_s: Until a service or destination that does not answer has made a job fail.
        drain_s: On SIGTERM, for associations and for the job at work.
        keep_s: Until the data of a finished job are deleted.
        keep_failed_s: Until those of a failed one are.
        remember_s: Until a finished job is forgotten, so that its series would be a new one.
    """

    settle_s: float = 30.0
    release: bool = True
    broken_off_s: float = 3600.0
    retry_s: float = 5.0
    give_up_s: float = 3 * DAY_S
    drain_s: float = 60.0
    keep_s: float = 0.0
    keep_failed_s: float = 7 * DAY_S
    remember_s: float = 90 * DAY_S


@dataclass(frozen=True, kw_only=True)
class DicomTls:
    """TLS of the DICOM side (PS3.15 B.1), as acceptor and as requestor.

    Args:
        certificate: The node's own, PEM.
        key: Of that certificate, PEM.
        ca: Whose certificates peers must show, PEM; None asks none of them, and then the node
            itself trusts those that the system trusts.
    """

    certificate: Path
    key: Path
    ca: Path | None = None


@dataclass(frozen=True, kw_only=True)
class NodeSettings:
    """How a node runs.

    Args:
        spool: Folder of everything that must survive.
        ae_title: Its own, also when it sends.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        calling: AE titles that may call; none stands for all.
        networks: Addresses that may connect; none stands for all.
        any_called: Take calls that were meant for another AE title too.
        tls: TLS of the DICOM side.
        dry_run: Receive and decide, ask no service and send nothing.
        workers: How many jobs are worked on at a time.
        bounds: How much.
        patience: How long.

    Raises:
        UsageError: Anybody on the network could send, or a number makes no sense.
    """

    spool: Path
    ae_title: str = "OSTEOSERVE"
    host: str = "127.0.0.1"
    port: int = 11112
    calling: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    any_called: bool = False
    tls: DicomTls | None = None
    dry_run: bool = False
    workers: int = 2
    bounds: Bounds = field(default_factory=Bounds)
    patience: Patience = field(default_factory=Patience)

    def __post_init__(self) -> None:
        for title in (self.ae_title, *self.calling):
            AeTitle.check(title)
        if not 0 <= self.port <= 65535:
            raise UsageError(f"port must be 0..65535, not {self.port}")
        known = self.networks or (self.tls and self.tls.ca)
        if not is_loopback(self.host) and not known:
            raise UsageError(
                f"host {self.host} is not loopback: anybody could send; name who may by "
                "--allow-from, or ask for certificates (--dicom-tls-ca)"
            )

    def admits(self, address: str) -> bool:
        """Whether a peer at this IP address may connect."""
        peer = ipaddress.ip_address(address.partition("%")[0])
        mapped = getattr(peer, "ipv4_mapped", None) or peer
        return not self.networks or any(mapped in network for network in self.networks)

    def has_room(self, used: int) -> bool:
        """Whether the spool may grow.

        Args:
            used: Bytes that it occupies now.
        """
        free = shutil.disk_usage(self.spool).free
        return used < self.bounds.spool_bytes and free > self.bounds.free_bytes

    def disk_is_nearly_full(self) -> bool:
        """Whether even what is begun should not be finished."""
        return shutil.disk_usage(self.spool).free < self.bounds.free_bytes // 2
