"""Bearer tokens: who a caller is, and what it may ask for.

A token is 256 random bits, and the file holds a salted SHA-256 of it. A slow hash such as scrypt
protects what people choose and others can guess; nobody guesses 256 bits, and a hash that takes
50 ms and 16 MiB for whoever asks would be a way to bring the service down.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.server.security.private_files import read_private

#: What a token may be good for; `guard.SCOPE_OF` says which method needs which, and "metrics" is
#: for the metrics' own address.
SCOPES: Final = ("segment", "models", "health", "metrics", "reflection")

#: So that a scanner for leaked secrets, or a person, can tell what was found.
PREFIX: Final = "osteoserve_"
TOKEN_BYTES: Final = 32
SALT_BYTES: Final = 16

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_KEYS = {"name", "scopes", "salt", "sha256", "expires"}


@dataclass(frozen=True, kw_only=True)
class TokenEntry:
    """What is known of a token, which is not the token.

    Args:
        name: Of the client, for logs: letters, digits and ._@-, 64 at most.
        scopes: Of `SCOPES`, at least one.
        salt: 16 random bytes.
        sha256: Of salt and token together, 32 bytes.
        expires: From when it is refused; None for never.

    Raises:
        OptionError: Any of these is not so.
    """

    name: str
    scopes: frozenset[str]
    salt: bytes
    sha256: bytes
    expires: datetime | None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise OptionError("a client's name has 1 to 64 letters, digits or ._@-")
        unknown = sorted(self.scopes.difference(SCOPES))
        if unknown or not self.scopes:
            raise OptionError(
                f"client {self.name}: scopes are {', '.join(SCOPES)}, not "
                f"{', '.join(unknown) or 'none'}"
            )
        if len(self.salt) < SALT_BYTES or len(self.sha256) != hashlib.sha256().digest_size:
            raise OptionError(f"client {self.name}: salt or sha256 is not of its length")
        if self.expires and self.expires.tzinfo is None:
            raise OptionError(f"client {self.name}: expires states no time zone")

    def matches(self, token: str) -> bool:
        """Whether a token is this one; takes as long where it is not."""
        return hmac.compare_digest(_digest(self.salt, token), self.sha256)

    def expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires is not None and now >= self.expires


def _digest(salt: bytes, token: str) -> bytes:
    return hashlib.sha256(salt + token.encode(errors="surrogateescape")).digest()


def new_token(
    name: str, scopes: Iterable[str], *, expires: datetime | None = None
) -> tuple[str, TokenEntry]:
    """A new token, which is nowhere else, and what to keep of it.

    Raises:
        OptionError: Name or scopes are not what they must be.
    """
    token, salt = PREFIX + secrets.token_urlsafe(TOKEN_BYTES), secrets.token_bytes(SALT_BYTES)
    entry = TokenEntry(
        name=name,
        scopes=frozenset(scopes),
        salt=salt,
        sha256=_digest(salt, token),
        expires=expires,
    )
    return token, entry


class TokenFile:
    """The tokens in a file, read again whenever it has changed.

    So a token that is taken out is refused from the next call on.

    Args:
        path: JSON; see `as_json`.

    Raises:
        OptionError: It cannot be read, is open to others, or does not hold tokens.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._entries: tuple[TokenEntry, ...] = ()
        self.entries()

    def find(self, token: str) -> TokenEntry | None:
        """The entry of a token.

        Raises:
            OptionError: The file has changed and is no longer what it must be.
        """
        # All of them, whichever fits: how long it takes says nothing of where it stands.
        found = [entry for entry in self.entries() if entry.matches(token)]
        return found[0] if found else None

    def entries(self) -> tuple[TokenEntry, ...]:
        """Every entry.

        Raises:
            OptionError: As `find`.
        """
        try:
            status = self._path.stat()
        except OSError as error:
            raise OptionError(f"tokens {self._path} cannot be read: {error.strerror}") from error
        seen = (status.st_ino, status.st_ctime_ns)
        if seen != self._seen:
            self._entries, self._seen = load_tokens(self._path), seen
        return self._entries


def load_tokens(path: Path) -> tuple[TokenEntry, ...]:
    """Read a token file.

    Raises:
        OptionError: It cannot be read, is open to others, or does not hold tokens.
    """
    content = read_private(path, "tokens")
    try:
        entries = tuple(map(_entry, json.loads(content)["tokens"]))
    except OptionError as error:
        raise OptionError(f"tokens {path}: {error}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise OptionError(f"tokens {path} is no token file") from error
    names = [entry.name for entry in entries]
    if len(set(names)) < len(names):
        raise OptionError(f"tokens {path}: two clients have one name")
    return entries


def as_json(entries: Iterable[TokenEntry]) -> str:
    """The text of a token file.

    An object with the list ``tokens`` of objects ``name``, ``scopes``, ``salt`` and ``sha256`` in
    hexadecimal digits, and ``expires``, RFC 3339 or null.
    """
    rows = [
        {
            "name": entry.name,
            "scopes": sorted(entry.scopes),
            "salt": entry.salt.hex(),
            "sha256": entry.sha256.hex(),
            "expires": entry.expires and entry.expires.astimezone(UTC).isoformat(),
        }
        for entry in entries
    ]
    return json.dumps({"tokens": rows}, indent=2) + "\n"


def _entry(row: dict[str, Any]) -> TokenEntry:
    if row.keys() != _KEYS or not isinstance(row["scopes"], list):
        raise OptionError(f"an entry has {', '.join(sorted(_KEYS))}, and nothing else")
    return TokenEntry(
        name=row["name"],
        scopes=frozenset(row["scopes"]),
        salt=bytes.fromhex(row["salt"]),
        sha256=bytes.fromhex(row["sha256"]),
        expires=None if row["expires"] is None else datetime.fromisoformat(row["expires"]),
    )
