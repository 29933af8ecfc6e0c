"""Masks sent by STOW-RS (PS3.18 section 10.5)."""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from pydicom import dcmread

from osteoserve_client.errors import DeliveryError, DeliveryRefusedError, UsageError
from osteoserve_client.service.credentials import is_loopback, read_secret

_TIMEOUT_S = 120.0
_ANSWER_BYTES = 1 << 20
#: Failure Reason (0008,1197): the very instance was there already (PS3.7 annex C).
_DUPLICATE = 0x0111
#: Not the mask's fault: request timeout, too many requests, wrong credentials or address.
_PASSING = frozenset((401, 403, 404, 408, 429))


@dataclass(frozen=True)
class StowCredentials:
    """How an archive knows the node.

    Args:
        header: Value of the header Authorization; empty for none.
        ca: Authority of the archive's certificate, PEM; None takes those that the system trusts.
    """

    header: str = field(default="", repr=False)
    ca: Path | None = None

    @classmethod
    def read(
        cls, *, token: Path | None = None, password: Path | None = None, ca: Path | None = None
    ) -> StowCredentials:
        """From files that nobody else may read.

        Args:
            token: Holds a bearer token.
            password: Holds USER:PASSWORD.
            ca: Authority.

        Raises:
            UsageError: Both are given, or one cannot be read, is open to others or holds something
                else.
        """
        if token and password:
            raise UsageError("--stow-token-file and --stow-password-file: give one of them")
        path = token or password
        if path is None:
            return cls(ca=ca)
        secret = read_secret(path).strip()
        whole = secret.isascii() and len(secret.splitlines()) == 1
        if not whole or (password and b":" not in secret):
            raise UsageError(f"{path} does not hold what it should, on one line")
        if token:
            return cls(f"Bearer {secret.decode()}", ca)
        return cls(f"Basic {base64.b64encode(secret).decode()}", ca)


class Stow:
    """A DICOMweb server that takes masks.

    Args:
        url: Of the service, without "/studies": https://pacs.example/dicom-web.
        credentials: How it knows us.

    Raises:
        UsageError: The URL is none, holds a password, or would send one unencrypted.
    """

    def __init__(self, url: str, credentials: StowCredentials) -> None:
        self._url, self._credentials = _checked(url, credentials), credentials
        self._tls = None
        if self._url.scheme == "https":
            try:
                self._tls = ssl.create_default_context(cafile=credentials.ca)
            except OSError as error:
                raise UsageError(f"{credentials.ca} cannot be used as an authority") from error

    @property
    def name(self) -> str:
        """The URL."""
        return self._url.geturl()

    def send(self, mask: Path) -> None:
        """Send one mask; see `Destination`."""
        instance = str(dcmread(mask, specific_tags=["SOPInstanceUID"]).SOPInstanceUID)
        status, body = self._post(mask.read_bytes())
        if status in (200, 202, 409):
            self._check_stored(_parsed(body), instance, status)
        elif status >= 500 or status in _PASSING:
            raise DeliveryError(f"{self.name}: HTTP status {status}")
        else:
            raise DeliveryRefusedError(f"{self.name}: HTTP status {status}")

    def _post(self, mask: bytes) -> tuple[int, bytes]:
        boundary = secrets.token_hex(16)
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Accept": "application/dicom+json",
        }
        if self._credentials.header:
            headers["Authorization"] = self._credentials.header
        head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        connection = self._connection()
        try:
            connection.request(
                "POST",
                f"{self._url.path.rstrip('/')}/studies",
                head + mask + f"\r\n--{boundary}--\r\n".encode(),
                headers,
            )
            answer = connection.getresponse()
            return answer.status, answer.read(_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            why = "its certificate is not accepted" if _is_untrusted(error) else "no answer"
            raise DeliveryError(f"{self.name}: {why}") from error
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = str(self._url.hostname), self._url.port
        if self._tls is None:
            return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
        return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=self._tls)

    def _check_stored(self, answer: dict[str, Any], instance: str, status: int) -> None:
        """See that the answer names the instance as stored (PS3.18 table I.2-1)."""
        if instance in {_value(each, "00081155") for each in _items(answer, "00081199")}:
            return
        for failed in _items(answer, "00081198"):
            reason = _value(failed, "00081197")
            if reason == _DUPLICATE:
                return
            if isinstance(reason, int):
                raise DeliveryRefusedError(f"{self.name}: failure reason 0x{reason:04X}")
        raise DeliveryError(f"{self.name}: HTTP status {status}, but not said to be stored")


def _checked(url: str, credentials: StowCredentials) -> SplitResult:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        valid = False
    if not valid or any(c.isspace() for c in url):
        raise UsageError("--stow takes http://HOST[:PORT]/PATH or https://...")
    if parts.username is not None or parts.query or parts.fragment:
        raise UsageError("--stow: no password or query in a URL; see --stow-password-file")
    if credentials.header and parts.scheme == "http" and not is_loopback(str(parts.hostname)):
        raise UsageError("--stow: a password or token is not sent without TLS: use https")
    return parts


def _parsed(body: bytes) -> dict[str, Any]:
    """The DICOM JSON object of an answer; empty where it is none."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    if isinstance(parsed, list) and len(parsed) == 1:
        parsed = parsed[0]
    return parsed if isinstance(parsed, dict) else {}


def _items(dataset: dict[str, Any], tag: str) -> list[dict[str, Any]]:
    element = dataset.get(tag)
    items = element.get("Value", []) if isinstance(element, dict) else []
    return [each for each in items if isinstance(each, dict)]


def _value(dataset: dict[str, Any], tag: str) -> Any:
    element = dataset.get(tag)
    values = element.get("Value", []) if isinstance(element, dict) else []
    return values[0] if values else None


def _is_untrusted(error: BaseException) -> bool:
    return isinstance(error, ssl.SSLCertVerificationError)
