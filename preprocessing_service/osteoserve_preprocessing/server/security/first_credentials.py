"""Everything that a service and its first client need to trust each other, in one folder."""

from __future__ import annotations

import shutil
import tempfile
from datetime import datetime
from pathlib import Path

from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.server.security.certificates import (
    make_authority,
    make_client,
    make_server,
)
from osteoserve_preprocessing.server.security.private_files import write_new
from osteoserve_preprocessing.server.security.tokens import as_json, new_token

#: Files of the authority.
AUTHORITY, AUTHORITY_KEY = "ca.crt", "ca.key"

#: The first client, in certificate and token file.
CLIENT = "client"
CLIENT_SCOPES = ("segment", "models", "health")


def make_first_credentials(
    folder: Path, hosts: tuple[str, ...], *, now: datetime, days: int
) -> tuple[Path, ...]:
    """Make a certification authority, certificates of server and client, and a token.

    Args:
        folder: Made; where it exists, it must be empty.
        hosts: Names and addresses by which clients reach the server.
        now: UTC.
        days: For how long the certificates are valid; the authority's is for ten years.

    Returns:
        The files, every one of them with mode 0600, except certificates with 0644.

    Raises:
        OptionError: The folder holds something, or a host is neither a name nor an address.
        OSError: They cannot be written; then nothing is left behind.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OptionError(f"{folder} is not empty, and credentials are never written over")
    authority = make_authority(now)
    server = make_server(authority, hosts, now, days)
    client = make_client(authority, CLIENT, now, days)
    token, entry = new_token(CLIENT, CLIENT_SCOPES)
    contents = {
        AUTHORITY: authority.certificate_pem(),
        AUTHORITY_KEY: authority.key_pem(),
        "server.crt": server.certificate_pem(),
        "server.key": server.key_pem(),
        "tokens.json": as_json([entry]).encode(),
        "client.crt": client.certificate_pem(),
        "client.key": client.key_pem(),
        "client.token": f"{token}\n".encode(),
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, content in contents.items():
            write_new(unfinished / name, content, secret=not name.endswith(".crt"))
        # Fails where somebody has put something there meanwhile.
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return tuple(folder / name for name in contents)
