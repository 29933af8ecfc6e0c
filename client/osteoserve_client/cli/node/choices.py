"""From the command's words to the node's settings and destinations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from osteoserve_client.errors import UsageError
from osteoserve_client.node.addresses import Peer, network
from osteoserve_client.node.destinations import Destination
from osteoserve_client.node.settings import DAY_S, GIB, Bounds, DicomTls, NodeSettings, Patience
from osteoserve_client.node.storage_scu import StorageScu
from osteoserve_client.node.stow import Stow, StowCredentials
from osteoserve_client.node.tls import requestor_context

_HOUR_S = 3600.0


def settings_of(spool: Path, given: dict[str, Any]) -> NodeSettings:
    """The settings.

    Raises:
        UsageError: They do not go together.
    """
    return NodeSettings(
        spool=spool,
        ae_title=given["aet"],
        host=given["host"],
        port=given["port"],
        calling=given["calling"],
        networks=tuple(map(network, given["allow_from"])),
        any_called=given["any_called"],
        tls=_tls(given),
        dry_run=given["dry_run"],
        workers=given["workers"],
        bounds=Bounds(
            spool_bytes=int(given["max_spool"] * GIB),
            free_bytes=int(given["min_free"] * GIB),
            instance_bytes=int(given["max_instance"] * GIB),
            associations=given["max_associations"],
            pdu_bytes=given["max_pdu"],
            idle_s=given["idle"],
        ),
        patience=Patience(
            settle_s=given["settle"],
            release=given["release"],
            broken_off_s=given["broken_off"],
            retry_s=given["retry_after"],
            give_up_s=given["give_up"] * _HOUR_S,
            drain_s=given["drain"],
            keep_s=given["keep"] * _HOUR_S,
            keep_failed_s=given["keep_failed"] * _HOUR_S,
            remember_s=given["remember"] * DAY_S,
        ),
    )


def destinations_of(settings: NodeSettings, given: dict[str, Any]) -> tuple[Destination, ...]:
    """Where masks go.

    Raises:
        UsageError: Nowhere, or to an address that is none, or with credentials that are not sound.
    """
    if given["send_tls"] and settings.tls is None:
        raise UsageError("--send-tls needs --dicom-tls-certificate and --dicom-tls-key")
    tls = requestor_context(settings.tls) if settings.tls and given["send_tls"] else None
    title = settings.ae_title
    credentials = StowCredentials.read(
        token=given["stow_token_file"], password=given["stow_password_file"], ca=given["stow_ca"]
    )
    found: tuple[Destination, ...] = (
        *(StorageScu(Peer.parsed(each), ae_title=title) for each in given["send"]),
        *(StorageScu(Peer.parsed(each), ae_title=title, tls=tls) for each in given["send_tls"]),
        *(Stow(url, credentials) for url in given["stow"]),
    )
    if not found and not settings.dry_run:
        raise UsageError("where do masks go? Say --send, --send-tls or --stow, or --dry-run")
    return found


def _tls(given: dict[str, Any]) -> DicomTls | None:
    certificate, key, ca = (given[f"dicom_tls_{name}"] for name in ("certificate", "key", "ca"))
    if certificate and key:
        return DicomTls(certificate=certificate, key=key, ca=ca)
    if certificate or key or ca:
        raise UsageError("TLS needs --dicom-tls-certificate and --dicom-tls-key")
    return None
