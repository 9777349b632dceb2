"""The token with which we are a provider to APNs: the same in every process, without a word between them."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt import PyJWS
from jwt.algorithms import ECAlgorithm

from lockstep.errors import Misconfigured
from lockstep.json_values import canonical, parse

# Apple refuses a token older than 60 min and complains about a new one within 20 min on one connection ("Establishing a
# token-based connection to APNs"). iat is now rounded down to this grid, so all containers present the same token.
GRID_S = 50 * 60

# Apple's ids of teams and keys have ten characters.
_ID = re.compile(r"[A-Z0-9]{10}")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An APNs key: the content of a .p8 file (PKCS#8 PEM, P-256), its id and its team's."""

    team_id: str
    key_id: str
    private_key: str = field(repr=False)

    @staticmethod
    def from_json(text: str) -> "SigningKey":
        """
        Read `{"team_id", "key_id", "private_key"}`.

        Raises:
            Misconfigured: That is something else; the message never quotes it.
        """
        try:
            value = parse(text)
        except ValueError:
            raise Misconfigured("the signing key's secret is not JSON") from None
        if not isinstance(value, dict):
            raise Misconfigured("the signing key's secret is not a JSON object")
        parts = {name: value.get(name) for name in ("team_id", "key_id", "private_key")}
        for name, part in parts.items():
            if not isinstance(part, str) or (name != "private_key" and not _ID.fullmatch(part)):
                raise Misconfigured(f"the signing key's secret: {name} is missing or malformed")
        key = SigningKey(str(parts["team_id"]), str(parts["key_id"]), str(parts["private_key"]))
        key.load()
        return key

    def load(self) -> ec.EllipticCurvePrivateKey:
        """Return the private key; raises Misconfigured if it isn't one on P-256."""
        try:
            key = load_pem_private_key(self.private_key.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise Misconfigured("the signing key's secret: private_key is not the PEM of a private key") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise Misconfigured("the signing key's secret: private_key is not a P-256 key")
        return key


class _DeterministicES256(ECAlgorithm):
    """ES256 whose signature of a text is always the same (RFC 6979), not a random one of many."""

    def __init__(self) -> None:
        super().__init__(ECAlgorithm.SHA256)

    def sign(self, msg: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
        r, s = decode_dss_signature(key.sign(msg, ec.ECDSA(SHA256(), deterministic_signing=True)))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class ProviderToken:
    """Makes provider tokens of a key, by the wall clock: a frozen container may not advance a monotonic one."""

    def __init__(self, key: SigningKey, now: Callable[[], float]) -> None:
        self._key = key
        self._private_key = key.load()
        self._now = now
        self._jws = PyJWS(algorithms=[])
        self._jws.register_algorithm("ES256", _DeterministicES256())
        self._grids: tuple[int, ...] = (0,)
        self._issued_at_s = -1
        self._token = ""

    def current(self) -> str:
        """Return the token of this moment: never from the future, never older than 50 minutes."""
        now_s = int(self._now())
        issued_at_s = max((now_s - shift) // GRID_S * GRID_S + shift for shift in self._grids)
        if issued_at_s != self._issued_at_s:
            claims = canonical({"iss": self._key.team_id, "iat": issued_at_s}).encode()
            headers = {"kid": self._key.key_id}
            self._token = self._jws.encode(claims, self._private_key, algorithm="ES256", headers=headers)
            self._issued_at_s = issued_at_s
        return self._token

    def expired(self) -> None:
        """
        Apple calls a token expired that isn't by our clock, so ours is slow: add a second grid between the first's lines.

        Every container that hears it does the same, so they still present the same token, at most 25 minutes old.
        """
        self._grids = (0, GRID_S // 2)
