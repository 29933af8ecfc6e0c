"""TLS of the DICOM side, by the profile of PS3.15 B.12 (BCP 195): TLS 1.2 and later."""

from __future__ import annotations

import ssl

from osteoserve_client.errors import UsageError
from osteoserve_client.node.settings import DicomTls
from osteoserve_client.service.credentials import read_secret


def acceptor_context(tls: DicomTls) -> ssl.SSLContext:
    """For those who call us: with an authority, they must show a certificate of it.

    Raises:
        UsageError: A file cannot be read, is open to others, or holds no certificate or key.
    """
    context = _with_certificate(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), tls)
    if tls.ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def requestor_context(tls: DicomTls) -> ssl.SSLContext:
    """For those whom we call: their certificate must be of the authority, and of their host.

    Raises:
        UsageError: As `acceptor_context`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if tls.ca is None:
        context.load_default_certs()
    return _with_certificate(context, tls)


def _with_certificate(context: ssl.SSLContext, tls: DicomTls) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    read_secret(tls.key)
    try:
        context.load_cert_chain(tls.certificate, tls.key)
        if tls.ca is not None:
            context.load_verify_locations(tls.ca)
    except OSError as error:
        why = error.strerror if not isinstance(error, ssl.SSLError) else "not PEM, or no pair"
        raise UsageError(f"TLS: certificate, key or authority cannot be used: {why}") from error
    return context
