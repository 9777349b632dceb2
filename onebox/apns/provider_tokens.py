"""Whether APNs believes a provider token. Rules: Apple's "Establishing a token-based connection to APNs"."""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from onebox.apns.requests import Refusal

# "APNs rejects any token whose timestamp is not within one hour of the current time."
_MAX_AGE_S = 60 * 60
# "Refresh your token no more than once every 20 minutes and no less than once every 60 minutes."
_MIN_UPDATE_S = 20 * 60

_MISSING = Refusal(403, "MissingProviderToken")
_INVALID = Refusal(403, "InvalidProviderToken")
_EXPIRED = Refusal(403, "ExpiredProviderToken")
_UNRELATED = Refusal(403, "UnrelatedKeyIdInToken")
_UPDATED_TOO_OFTEN = Refusal(429, "TooManyProviderTokenUpdates")


@dataclass(frozen=True, slots=True)
class _Claims:
    key_id: str
    key: ec.EllipticCurvePublicKey
    iat_s: int


class ProviderKeys:
    """The keys of one team that APNs knows."""

    def __init__(self, team_id: str, keys: Mapping[str, str]) -> None:
        self._team_id = team_id
        self._keys: dict[str, ec.EllipticCurvePublicKey] = {}
        for key_id, pem in keys.items():
            self.add(key_id, pem)

    def add(self, key_id: str, pem: str) -> None:
        """Know one more key from now on: a public key as SubjectPublicKeyInfo."""
        key = load_pem_public_key(pem.encode())
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ValueError(f"{key_id}: not an elliptic curve key")
        self._keys[key_id] = key

    def revoke(self, key_id: str) -> None:
        """Know a key no longer."""
        self._keys.pop(key_id, None)

    def knows(self, claims: _Claims) -> bool:
        """Whether the key that signed these is still good."""
        return self._keys.get(claims.key_id) is claims.key

    def verify(self, token: str) -> _Claims | None:
        """Check form, key, team and signature; None if any is wrong. Says nothing about its age."""
        parts = token.split(".")
        if len(parts) != 3:
            return None
        try:
            header, claims = _json_object(parts[0]), _json_object(parts[1])
            signature = _decode(parts[2])
        except ValueError:
            return None
        key_id, iat_s = header.get("kid"), claims.get("iat")
        key = self._keys.get(key_id) if isinstance(key_id, str) else None
        if key is None or header.get("alg") != "ES256" or claims.get("iss") != self._team_id or type(iat_s) is not int:
            return None
        if not _signed(key, signature, f"{parts[0]}.{parts[1]}".encode()):
            return None
        return _Claims(str(key_id), key, iat_s)


class Sender:
    """Who sends on one connection: the tokens seen on it, the one in use, and the key that it is bound to."""

    def __init__(self, keys: ProviderKeys, now: Callable[[], float]) -> None:
        self._keys = keys
        self._now = now
        self._verified: dict[str, _Claims | None] = {}
        self._in_use: str | None = None
        self._in_use_since_s = 0.0
        self._bound_key: str | None = None

    def refusal(self, authorization: str | None) -> Refusal | None:
        """Say why APNs does not believe this header, or None if it does."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return _MISSING
        claims = self._claims(token)
        if claims is None or not self._keys.knows(claims):
            return _INVALID
        age_s = self._now() - claims.iat_s
        if age_s > _MAX_AGE_S:
            return _EXPIRED
        if age_s < -_MAX_AGE_S:
            # Which reason Apple gives here is not documented.
            return _INVALID
        if self._bound_key not in (None, claims.key_id):
            return _UNRELATED
        return self._use(token)

    def bind(self) -> None:
        """Bind the connection to the key in use: "the first push" decides."""
        if self._bound_key is None and self._in_use is not None:
            claims = self._verified[self._in_use]
            self._bound_key = claims.key_id if claims is not None else None

    def _use(self, token: str) -> Refusal | None:
        if token != self._in_use:
            if self._in_use is not None and self._now() - self._in_use_since_s < _MIN_UPDATE_S:
                return _UPDATED_TOO_OFTEN
            self._in_use, self._in_use_since_s = token, self._now()
        return None

    def _claims(self, token: str) -> _Claims | None:
        if token not in self._verified:
            self._verified[token] = self._keys.verify(token)
        return self._verified[token]


def _signed(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    # JWS carries r and s side by side, 32 bytes each (RFC 7518, 3.4); a DER signature is another length.
    if len(signature) != 64:
        return False
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    try:
        key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _json_object(part: str) -> dict[str, Any]:
    value = json.loads(_decode(part))
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _decode(part: str) -> bytes:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", part):
        raise ValueError("not base64url without padding")
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error as error:
        raise ValueError("not base64url") from error
