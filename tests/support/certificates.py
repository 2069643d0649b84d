"""Certificates made for one test run; nothing here is worth keeping."""
import base64
import datetime
import hashlib
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_START = datetime.datetime(2020, 1, 1)
_END = datetime.datetime(2049, 1, 1)


def _alternative_name(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _name(common):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _write(folder, stem, certificate, key):
    certificate_file, key_file = folder / f"{stem}.pem", folder / f"{stem}.key"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    key_file.chmod(0o600)
    return certificate_file, key_file


class Authority:
    """A certificate authority of one test run: `file` is what a visitor trusts."""

    def __init__(self, folder, name="test authority"):
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        certificate = (
            x509.CertificateBuilder().subject_name(self._name).issuer_name(self._name).public_key(self._key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(_START).not_valid_after(_END)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256()))
        self.file, _ = _write(folder, name.replace(" ", "-"), certificate, self._key)

    def issue(self, *names, stem=None, until=_END):
        """(certificate file, key file) for these DNS names or addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        return _write(self._folder, stem or names[0].replace("*", "any"), _leaf(names, self._name, key, self._key, until), key)


def self_signed(folder, *names, stem="self-signed"):
    key = ec.generate_private_key(ec.SECP256R1())
    return _write(folder, stem, _leaf(names, _name(names[0]), key, key), key)


def _leaf(names, issuer, key, signing_key, until=_END):
    return (
        x509.CertificateBuilder().subject_name(_name(names[0])).issuer_name(issuer).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(_START).not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName([_alternative_name(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(signing_key, hashes.SHA256()))


def spki_pin(certificate_file):
    """SHA-256 of the public key, as base64url without padding: how Sallyport names a key."""
    key = x509.load_pem_x509_certificate(certificate_file.read_bytes()).public_key()
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.urlsafe_b64encode(hashlib.sha256(spki).digest()).decode().rstrip("=")
