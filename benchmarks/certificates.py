"""A certificate for 127.0.0.1 and the authority that signed it, made for one run of the benchmarks."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import botocore
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_PUBLIC_AUTHORITIES = Path(botocore.__file__).with_name("cacert.pem")
_KEY_BITS = 2048
"""As the certificates of AWS's endpoints have."""
_VALID = timedelta(days=1)
_ISSUER = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Benchmark authority")])
_SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files in the form of PEM.

    Attributes:
        authorities: what clients trust: all public authorities, so that reading them takes as long as it does on
            Lambda, and the one of this run.
        chain: certificate and private key of the server.
    """

    authorities: Path
    chain: Path


def write_certificates(folder: Path) -> Certificates:
    """Write a new certificate and its authority into a folder; return the files."""
    made = Certificates(folder / "authorities.pem", folder / "server.pem")
    authority_key, server_key = (rsa.generate_private_key(65537, _KEY_BITS) for _ in range(2))
    authority = _signed(_ISSUER, authority_key, authority_key, is_authority=True)
    server = _signed(_SUBJECT, server_key, authority_key, is_authority=False)
    made.authorities.write_bytes(_PUBLIC_AUTHORITIES.read_bytes() + b"\n" + authority)
    private = server_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    made.chain.write_bytes(server + private)
    return made


def _signed(subject: x509.Name, key: RSAPrivateKey, issuer_key: RSAPrivateKey, *, is_authority: bool) -> bytes:
    """Return a certificate, with the extensions that Python 3.13 and later require (X509_V_FLAG_X509_STRICT)."""
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(_ISSUER)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _VALID)
        .not_valid_after(now + _VALID)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not is_authority:
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
