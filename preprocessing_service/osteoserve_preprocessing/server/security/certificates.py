"""Certificates for one server and its clients, by a certification authority of their own."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from osteoserve_preprocessing.errors import OptionError

CA_DAYS = 3650

#: Labels of letters, digits and hyphens with dots between (RFC 1123, section 2.1).
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")

#: Clocks in a network differ.
_SLACK = timedelta(hours=1)

#: Names by which a server is always reached from its own machine.
OWN_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, eq=False)
class Identity:
    """A certificate and its key (P-256)."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def certificate_pem(self) -> bytes:
        """The certificate, PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self) -> bytes:
        """The key, PEM (PKCS #8), without a password: a service starts without a person."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def make_authority(now: datetime) -> Identity:
    """A certification authority, valid for ten years."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Osteoserve CA")
    builder = _builder(name, name, key.public_key(), key.public_key(), now, CA_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return Identity(builder.sign(key, hashes.SHA256()), key)


def make_server(authority: Identity, hosts: tuple[str, ...], now: datetime, days: int) -> Identity:
    """A server's certificate.

    Args:
        authority: Signs it.
        hosts: Names and addresses by which clients reach it, beside `OWN_NAMES`.
        now: From when.
        days: For how long.

    Raises:
        OptionError: A host is neither a name nor an address.
    """
    return _signed(
        authority,
        "Osteoserve service",
        (ExtendedKeyUsageOID.SERVER_AUTH,),
        _hosts(hosts),
        now,
        days,
    )


def make_client(authority: Identity, name: str, now: datetime, days: int) -> Identity:
    """A client's certificate; the service's log calls the client by the name."""
    return _signed(
        authority,
        name,
        (ExtendedKeyUsageOID.CLIENT_AUTH,),
        x509.SubjectAlternativeName([x509.DNSName(name)]),
        now,
        days,
    )


def make_node(authority: Identity, hosts: tuple[str, ...], now: datetime, days: int) -> Identity:
    """A DICOM node's certificate, with which it is called and calls others (PS3.15 B.1).

    Args:
        authority: Signs it.
        hosts: As of `make_server`.
        now: From when.
        days: For how long.

    Raises:
        OptionError: A host is neither a name nor an address.
    """
    return _signed(
        authority,
        "Osteoserve node",
        (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH),
        _hosts(hosts),
        now,
        days,
    )


def _signed(
    authority: Identity,
    name: str,
    usages: tuple[x509.ObjectIdentifier, ...],
    alternatives: x509.SubjectAlternativeName,
    now: datetime,
    days: int,
) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer, issuer_key = authority.certificate.subject, authority.key
    builder = _builder(_name(name), issuer, key.public_key(), issuer_key.public_key(), now, days)
    builder = builder.add_extension(
        x509.BasicConstraints(ca=False, path_length=None), critical=True
    )
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    builder = builder.add_extension(alternatives, critical=False)
    return Identity(builder.sign(issuer_key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
    now: datetime,
    days: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLACK)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False
        )
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _hosts(hosts: tuple[str, ...]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(
        [_alternative_name(host) for host in dict.fromkeys((*hosts, *OWN_NAMES))]
    )


def _alternative_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass  # then it is a name
    if len(host) > 253 or not _HOST_NAME.fullmatch(host):
        raise OptionError(f"host {host!a} is neither a name nor an address")
    return x509.DNSName(host)
