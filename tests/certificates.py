"""Certificates for the tests, made anew in each run."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Authority:
    """An authority whose certificates are files in a folder."""

    authority: trustme.CA
    folder: Path

    @classmethod
    def in_folder(cls, folder: Path) -> "Authority":
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.crt")
        return cls(authority, folder)

    def issue(self, name: str, *identities: str) -> "Pair":
        """Write a certificate with its chain to ``NAME.crt``, and its key to ``NAME.key``."""
        certificate = self.authority.issue_cert(*(identities or ("127.0.0.1", "localhost")))
        pair = Pair(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        pair.certificate.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        certificate.private_key_pem.write_to_path(pair.key)
        return pair

    @property
    def file(self) -> Path:
        return self.folder / "ca.crt"

    def trusted(self, client: "Pair | None" = None) -> ssl.SSLContext:
        """Make what a client needs that trusts this authority."""
        context = ssl.create_default_context(cafile=self.file)
        if client is not None:
            context.load_cert_chain(client.certificate, client.key)
        return context


@dataclass(frozen=True)
class Pair:
    certificate: Path
    key: Path
