"""Ends with 0 while the service in this container can segment: gRPC health, a canary inference.

Authority and token come from OSTEOSERVE_TLS_CA and OSTEOSERVE_TOKEN_FILE.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from osteoserve_client.errors import OsteoserveError
from osteoserve_client.service import Credentials, ServiceClient, read_token

ADDRESS = "localhost:8471"
TIMEOUT_S = 10.0


def main() -> str | None:
    """Ask once, for as long as TIMEOUT_S; returns what is wrong."""
    ca, token = (os.environ.get(f"OSTEOSERVE_{name}") for name in ("TLS_CA", "TOKEN_FILE"))
    try:
        credentials = Credentials(
            ca=Path(ca) if ca else None, token=read_token(Path(token)) if token else None
        )
        with ServiceClient(ADDRESS, credentials=credentials) as client:
            client.wait_ready(TIMEOUT_S)
    except OsteoserveError as error:
        return str(error)
    return None


if __name__ == "__main__":
    sys.exit(main())
