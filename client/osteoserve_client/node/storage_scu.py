"""Masks sent by C-STORE (PS3.4 annex B)."""

from __future__ import annotations

import ssl
from pathlib import Path

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import SegmentationStorage  # type: ignore[attr-defined]

from osteoserve_client.errors import DeliveryError, DeliveryRefusedError
from osteoserve_client.node.addresses import Peer

_CONNECT_S, _ANSWER_S = 15.0, 120.0

#: Stored; then: with coercion, elements discarded, or of another class (PS3.4 table B.2-1); then:
#: the very instance was there already (PS3.7 annex C).
STORED = frozenset((0x0000, 0xB000, 0xB006, 0xB007, 0x0111))


class StorageScu:
    """A DICOM application that takes masks.

    Args:
        peer: Which.
        ae_title: What we call ourselves.
        tls: For a peer that is talked to over TLS.
    """

    def __init__(self, peer: Peer, *, ae_title: str, tls: ssl.SSLContext | None = None) -> None:
        self._peer, self._tls = peer, tls
        self._ae = AE(ae_title=ae_title)
        self._ae.add_requested_context(
            SegmentationStorage, [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
        )
        self._ae.connection_timeout = self._ae.acse_timeout = _CONNECT_S
        self._ae.network_timeout = self._ae.dimse_timeout = _ANSWER_S

    @property
    def name(self) -> str:
        """AET@HOST:PORT."""
        return str(self._peer)

    def send(self, mask: Path) -> None:
        """Send one mask; see `Destination`."""
        association = self._associated()
        try:
            status = association.send_c_store(mask).get("Status")
        except (RuntimeError, ValueError) as error:
            # The association ended between the two; or no context fits.
            raise DeliveryError(f"{self.name}: the association ended before the mask") from error
        finally:
            if association.is_established:
                association.release()
        if status is None:
            raise DeliveryError(f"{self.name}: no answer to C-STORE")
        if status not in STORED:
            kind = DeliveryError if status & 0xFF00 == 0xA700 else DeliveryRefusedError
            raise kind(f"{self.name}: C-STORE status 0x{status:04X}")

    def _associated(self) -> Association:
        peer = self._peer
        association = self._ae.associate(
            peer.host,
            peer.port,
            ae_title=peer.ae_title,
            tls_args=None if self._tls is None else (self._tls, peer.host),
        )
        if association.is_established:
            return association
        if association.is_rejected:
            answer = association.acceptor.primitive
            why = getattr(answer, "reason_str", "") or "no reason given"
            raise DeliveryError(f"{self.name}: rejects the association: {why}")
        if association.rejected_contexts:
            raise DeliveryRefusedError(f"{self.name}: does not take Segmentation Storage")
        raise DeliveryError(f"{self.name}: no association: nobody listens, or TLS does not agree")
