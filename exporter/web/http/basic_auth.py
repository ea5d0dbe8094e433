"""Basic authentication with bcrypt hashes; verdicts are cached, because a check is slow by design.

No password is stored: the key of a cached verdict is a keyed digest.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import Final, NamedTuple

import bcrypt

MAX_ADMITTED: Final = 128
MAX_REJECTED: Final = 1024
"""The sizes of the two caches of verdicts; they are separate so that guesses never evict admitted logins."""

_MAX_PASSWORD_BYTES: Final = 72
"""The bytes of a password that bcrypt uses; other tools ignore the rest, while the library rejects it."""


class _Login(NamedTuple):
    user: bytes
    password: bytes


class BasicAuth:
    """Checks logins.

    ``verdict`` may be called in one thread while ``check`` runs in another, but ``check`` in one thread only.

    Args:
        users: the bcrypt hash of each user's password; at least one.
        secret: random bytes of this process.
    """

    def __init__(self, users: Mapping[str, str], secret: bytes) -> None:
        self._hashes = {user.encode(): digest.encode() for user, digest in users.items()}
        self._secret = secret
        self._admitted: dict[bytes, bool] = {}
        self._rejected: dict[bytes, bool] = {}

    def verdict(self, authorization: str) -> bool | None:
        """Return the cached verdict on a login; ``None`` when the login must be checked.

        Args:
            authorization: the value of the header; empty without the header.
        """
        login = _parse(authorization)
        if login is None:
            return False
        key = self._key(login)
        return True if key in self._admitted else (False if key in self._rejected else None)

    def check(self, authorization: str) -> bool:
        """Check a login, and cache the verdict. An unknown user takes as long as a known one."""
        login = _parse(authorization)
        if login is None:
            return False
        cached = self.verdict(authorization)
        if cached is not None:
            return cached
        digest = self._hashes.get(login.user)
        matches = bcrypt.checkpw(login.password[:_MAX_PASSWORD_BYTES], digest or self._decoy(login.user))
        admitted = matches and digest is not None
        cache, size = (self._admitted, MAX_ADMITTED) if admitted else (self._rejected, MAX_REJECTED)
        cache[self._key(login)] = admitted
        while len(cache) > size:
            del cache[next(iter(cache))]
        return admitted

    def _decoy(self, user: bytes) -> bytes:
        """Choose a hash to check an unknown user against; always the same one, because hashes differ in cost."""
        hashes = [*self._hashes.values()]
        return hashes[int.from_bytes(self._digest(user)) % len(hashes)]

    def _key(self, login: _Login) -> bytes:
        return self._digest(login.user + b":" + login.password)

    def _digest(self, data: bytes) -> bytes:
        return hmac.digest(self._secret, data, "sha256")


def _parse(authorization: str) -> _Login | None:
    """Parse the header ``Authorization: Basic ...`` (RFC 7617)."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(credentials.strip().encode("ascii"), validate=True).partition(b":")
    except (binascii.Error, UnicodeEncodeError):
        return None
    return _Login(user, password) if colon else None
