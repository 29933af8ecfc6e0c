"""One id for a request, the same in the client, the service, their logs, and Triton.

It travels as gRPC metadata. It is random and of a length that no hospital's number has, so that
nobody's record can stand in its place.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

#: The metadata that it travels in, in requests and in the trailing metadata of answers.
REQUEST_ID: Final = "x-request-id"

_FORM: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def new_request_id() -> str:
    """32 random hexadecimal digits."""
    return secrets.token_hex(16)


def well_formed(request_id: str) -> bool:
    """Whether it is 32 lower-case hexadecimal digits, or a UUID in its usual form (RFC 9562)."""
    return _FORM.fullmatch(request_id) is not None
