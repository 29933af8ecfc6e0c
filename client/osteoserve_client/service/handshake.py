"""Why a service cannot be reached, where TLS is the reason: gRPC's own words hide it."""

from __future__ import annotations

import socket
import ssl

from osteoserve_client.service.credentials import Credentials, host_and_port

TIMEOUT_S = 3.0


def handshake_fault(address: str, credentials: Credentials) -> str:
    """Try the handshake by itself.

    Args:
        address: "HOST:PORT".
        credentials: As gRPC has them.

    Returns:
        What is wrong and what would mend it; empty where it is not TLS.
    """
    host, port = host_and_port(address)
    if not port.isdecimal():
        return ""
    try:
        context = _context(credentials)
    except ssl.SSLError:
        return "--tls-ca, --tls-certificate or --tls-key is no PEM file, or they do not fit"
    try:
        with (
            socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            if credentials.ca is None:
                return "it speaks TLS: name its authority by --tls-ca"
            # A service that does not accept the client's certificate says so, or hangs up, after
            # the handshake (RFC 8446, section 4.4.2.4); otherwise it is the first to speak HTTP/2.
            return "" if secured.recv(1) else _not_accepted(credentials)
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not trusted: {error.verify_message.rstrip('.')}"
    except ssl.SSLError as error:
        return "" if credentials.ca is None else _reason(error, credentials)
    except OSError:
        return ""


def _context(credentials: Credentials) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2"])
    if credentials.ca is None:
        # Only to learn whether there is TLS: nothing is sent.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(credentials.ca)
    if credentials.certificate:
        context.load_cert_chain(credentials.certificate, credentials.key, password="")
    return context


def _reason(error: ssl.SSLError, credentials: Credentials) -> str:
    reason = (error.reason or "").upper()
    if "WRONG_VERSION" in reason or "RECORD_LAYER" in reason:
        return "it does not speak TLS: leave out --tls-ca"
    if "ALERT" in reason:
        return _not_accepted(credentials)
    return f"the TLS handshake failed ({reason or 'no reason given'})"


def _not_accepted(credentials: Credentials) -> str:
    if credentials.certificate:
        return "it does not accept the client's certificate (--tls-certificate)"
    return "it asks for a client's certificate: name one by --tls-certificate and --tls-key"
