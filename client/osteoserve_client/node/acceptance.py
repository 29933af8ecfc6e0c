"""What the node takes: kinds of objects, and how they may be encoded."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
)
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from osteoserve_client.reading.dicom.kinds import (
    MULTI_FRAME_CT,
    NUCLEAR_MEDICINE,
    SINGLE_FRAME_CT,
)
from osteoserve_client.reading.dicom.pixels import DECODERS, NATIVE

#: SOP classes that are accepted; every other is rejected when the association is negotiated, so
#: that a sender knows before it sends, and a routing rule that is too wide is seen.
STORED = (SINGLE_FRAME_CT, *MULTI_FRAME_CT, *NUCLEAR_MEDICINE)

#: JPEG of 8 bits is for photographs; a peer that can send anything else should.
_LAST = (JPEGExtended12Bit, JPEGBaseline8Bit)


def transfer_syntaxes() -> tuple[UID, ...]:
    """Every encoding that can be read, in the order in which one is chosen of several offered.

    Uncompressed ones come first: what a sender can spare its peer to decode is exact.
    """
    native = [s for s in NATIVE if s not in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)]
    lossless = [s for s in DECODERS if s not in _LAST]
    return (ExplicitVRLittleEndian, ImplicitVRLittleEndian, *native, *lossless, *_LAST)


def presentation_contexts() -> Iterator[PresentationContext]:
    """What is offered to a peer: verification, and storage of the kinds above (PS3.4 B.5)."""
    yield build_context(Verification)
    for sop_class in STORED:
        yield build_context(sop_class, list(transfer_syntaxes()))
