"""Questions about port, TLS, tokens and audit log: checked as `osteoserve serve` would."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Final

from cryptography import x509

from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.server.doctor.findings import Finding, State
from osteoserve_preprocessing.server.doctor.listener import (
    Listener,
    bind_error,
    is_taken,
    listener,
)
from osteoserve_preprocessing.server.records import utc_now
from osteoserve_preprocessing.server.security.tls import TlsFiles, server_credentials
from osteoserve_preprocessing.server.security.tokens import load_tokens
from osteoserve_preprocessing.server.settings import Settings

#: Time enough to have a new certificate made.
SOON: Final = timedelta(days=30)


def port(settings: Settings) -> Finding:
    """Whether the service's port is free, or a service answers there already."""
    subject = f"port {settings.port}"
    error = bind_error(settings.host, settings.port)
    if error is None:
        return Finding(subject, State.OK, "free")
    if not is_taken(error):
        return Finding(
            subject,
            State.BROKEN,
            f"{settings.host} cannot be listened on: {error.strerror}",
            "name an address of this machine by --host",
        )
    found = listener(settings.host, settings.port)
    if found.certificate and _judged(found.certificate)[0] is State.BROKEN:
        return Finding(
            subject,
            State.BROKEN,
            f"what listens there shows a certificate that expired on "
            f"{found.certificate.not_valid_after_utc:%Y-%m-%d}: clients refuse it",
            _judged(found.certificate)[1],
        )
    if found.health == "SERVING" or found.asks_certificate or found.health == "":
        return _service(subject, found, settings.tls_certificate)
    what = "a service there is NOT_SERVING" if found.health else f"taken: {error.strerror}"
    return Finding(
        subject,
        State.BROKEN,
        what + (" (with TLS)" if found.certificate else ""),
        f"stop what listens there (ss -ltnp 'sport = :{settings.port}'), or serve --port another",
    )


def _service(subject: str, found: Listener, file: Path | None) -> Finding:
    """A service that answers, or that lets no stranger ask."""
    known = {
        "SERVING": "a service is SERVING there",
        "": "a service is there, which asks for a token",
    }
    what = known.get(found.health or "", "")
    if found.asks_certificate:
        what = "a service is there, which asks for a client's certificate"
    if found.certificate is None:
        without = ", without TLS, not as these settings say" if file else ""
        state = State.NOTE if file else State.OK
        return Finding(subject, state, what + without, "restart it" if file else "")
    expiry = found.certificate.not_valid_after_utc
    detail = f"{what}, with TLS; its certificate is valid until {expiry:%Y-%m-%d}"
    if file is not None and _first(file) != found.certificate:
        return Finding(
            subject,
            State.NOTE,
            f"{detail} and is not that of {file}",
            "see in the log of the service why it does not take it, or which file it reads",
        )
    state, remedy = _judged(found.certificate)
    return Finding(subject, state, detail, remedy)


def _first(path: Path) -> x509.Certificate | None:
    """The server's own certificate in a file; None where it holds none, as `tls` says."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return None


def _judged(certificate: x509.Certificate) -> tuple[State, str]:
    remedy = "have a new one made, in the same place (docs/security.md)"
    left = certificate.not_valid_after_utc - utc_now()
    if left <= timedelta():
        return State.BROKEN, remedy
    return (State.NOTE, remedy) if left < SOON else (State.OK, "")


def tls(settings: Settings) -> tuple[Finding, ...]:
    """Whether certificate, key and client CA are sound, and for how long."""
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None or key is None:
        return ()
    subject = f"TLS certificate {certificate}"
    try:
        server_credentials(TlsFiles(certificate, key, settings.tls_client_ca))
    except OptionError as error:
        return (Finding("TLS", State.BROKEN, str(error), "see docs/security.md"),)
    own = x509.load_pem_x509_certificate(certificate.read_bytes())
    state, remedy = _judged(own)
    return (Finding(subject, state, f"valid until {own.not_valid_after_utc:%Y-%m-%d}", remedy),)


def tokens(settings: Settings) -> tuple[Finding, ...]:
    """Whether the token file is sound, and lets anybody in."""
    if settings.tokens is None:
        return ()
    subject = f"tokens {settings.tokens}"
    try:
        entries = load_tokens(settings.tokens)
    except OptionError as error:
        return (Finding(subject, State.BROKEN, str(error), "see docs/security.md"),)
    over = [entry.name for entry in entries if entry.expired(utc_now())]
    remedy = "osteoserve credentials token makes one"
    if len(over) == len(entries):
        return (Finding(subject, State.NOTE, "holds no token that is valid now", remedy),)
    detail = f"{len(entries) - len(over)} valid"
    if over:
        return (Finding(subject, State.NOTE, f"{detail}; expired: {', '.join(over)}", remedy),)
    return (Finding(subject, State.OK, detail),)


def audit_log(settings: Settings) -> tuple[Finding, ...]:
    """Whether lines can be appended; nothing is."""
    path = settings.audit_log
    if path is None:
        return ()
    subject = f"audit log {path}"
    able = os.access(path, os.W_OK) and path.is_file() if path.exists() else _may_make(path)
    if able:
        return (Finding(subject, State.OK, "can be written to"),)
    remedy = "make its folder, and let the service's user write there"
    return (Finding(subject, State.BROKEN, "cannot be written to", remedy),)


def _may_make(path: Path) -> bool:
    return path.parent.is_dir() and os.access(path.parent, os.W_OK | os.X_OK)
