"""The identity provider of this machine, and what API Gateway's JWT authorizer checks."""

import hashlib
import os
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

ISSUER = "https://login.example.com/"
AUDIENCE = "lockstep"

# A token printed for a person's terminal is good for a day's work.
LIFETIME_S = 24 * 3600


class Identity:
    """
    Makes tokens that the API accepts.

    Its key is kept in a file, so that a token outlives a restart of the API.
    """

    def __init__(self, folder: Path, *, now: Callable[[], float] = time.time) -> None:
        self._key = _key_in(folder / "identity.pem")
        self._now = now

    @property
    def keys(self) -> dict[str, rsa.RSAPublicKey]:
        """What a real provider would publish as its JWKS: public keys by their ids."""
        key = self._key.public_key()
        content = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return {hashlib.sha256(content).hexdigest()[:16]: key}

    def token(self, user: str, *, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """
        Return a token of this user.

        Args:
            header: Changes or adds to the usual header, as claims do to the usual claims: None takes one away.
        """
        now_s = int(self._now())
        usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": user, "iat": now_s, "exp": now_s + LIFETIME_S}
        [key_id] = self.keys
        said, wanted = _wanted({"kid": key_id}, header or {}), _wanted(usual, claims)
        return jwt.encode(wanted, self._key, algorithm="RS256", headers=said)


class JwtCheck:
    """
    Decides about `Authorization` headers as the JWT authorizer of an HTTP API does.

    What that looks at stands in API Gateway's developer guide, under "Control access to HTTP APIs with JWT authorizers".

    Args:
        keys: The issuer's, by their ids.
    """

    def __init__(
        self,
        keys: Mapping[str, rsa.RSAPublicKey],
        *,
        issuer: str,
        audience: Collection[str],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = frozenset(audience)
        self._now = now

    def claims(self, authorization: str | None) -> dict[str, str] | None:
        """Return the claims as the function gets to see them, all of them text; None refuses the request."""
        said = authorization or ""
        # The token, with or without its scheme, and nothing else.
        token = said[len("bearer ") :].strip() if said.lower().startswith("bearer ") else said
        try:
            # The header names one of the issuer's keys: no other key that it names, holds or leads to counts.
            key = self._keys[jwt.get_unverified_header(token)["kid"]]
            # API Gateway's authorizer takes RSA-signed tokens only; whoever checks less than the algorithm is lost.
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except (jwt.InvalidTokenError, ValueError, LookupError):
            return None
        if claims.get("iss") != self._issuer or not self._is_for_us(claims) or not self._is_of_now(claims):
            return None
        return {name: _as_text(value) for name, value in claims.items()}

    def _is_for_us(self, claims: Mapping[str, Any]) -> bool:
        # The client's id counts only where no audience is named.
        said = claims["aud"] if "aud" in claims else claims.get("client_id")
        named = said if isinstance(said, list) else [said]
        return any(one in self._audience for one in named if isinstance(one, str))

    def _is_of_now(self, claims: Mapping[str, Any]) -> bool:
        now_s = self._now()
        times = [claims.get(name) for name in ("exp", "nbf", "iat")]
        if any(isinstance(at_s, bool) or not isinstance(at_s, int | float | None) for at_s in times):
            return False
        expires_s, not_before_s, issued_s = times
        return (
            expires_s is not None
            and expires_s > now_s
            and (not_before_s is None or not_before_s <= now_s)
            and (issued_s is None or issued_s <= now_s)
        )


def _wanted(usual: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


def _as_text(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case list():
            return f"[{' '.join(map(_as_text, value))}]"
    return str(value)


def _key_in(path: Path) -> rsa.RSAPrivateKey:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        content = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        # Whole or not at all, and never over one that another process has just made.
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_bytes(content)
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(f"{path} does not hold an RSA key")
    return key
