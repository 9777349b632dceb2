"""Whoever the API must not let in, by the `Authorization` headers that they send."""

import base64
import hmac
import json
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from onebox.identity import AUDIENCE, ISSUER, Identity

# Each makes the header's values: none, one, or more where it is said more than once.
type Caller = Callable[[Identity], list[str]]


def _part(value: object) -> str:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _claims(**more: Any) -> dict[str, Any]:
    now_s = int(time.time())
    return {"iss": ISSUER, "aud": AUDIENCE, "sub": "ana", "iat": now_s - 60, "exp": now_s + 3600, **more}


def _key_id(identity: Identity) -> str:
    [key_id] = identity.keys
    return key_id


@cache
def _strangers_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _forged(algorithm: str, signature: bytes = b"", **header: Any) -> Caller:
    """A token that says what it likes of itself, with a signature that nobody made of it."""

    def make(identity: Identity) -> list[str]:
        said = {"alg": algorithm, "typ": "JWT", "kid": _key_id(identity), **header}
        return [f"Bearer {_part(said)}.{_part(_claims())}.{_part(signature)}"]

    return make


def _by_the_public_key(encoding: Encoding, form: PublicFormat, *, ending: bytes = b"", bits: int = 256) -> Caller:
    """An HMAC keyed with what everybody knows, for a check that takes the algorithm from the token."""

    def make(identity: Identity) -> list[str]:
        [(key_id, key)] = identity.keys.items()
        secret = key.public_bytes(encoding, form).rstrip(b"\n") + ending
        said = f"{_part({'alg': f'HS{bits}', 'typ': 'JWT', 'kid': key_id})}.{_part(_claims())}"
        return [f"Bearer {said}.{_part(hmac.digest(secret, said.encode(), f'sha{bits}'))}"]

    return make


def _by_a_stranger(**header: Any) -> Caller:
    def make(identity: Identity) -> list[str]:
        said = {"kid": _key_id(identity), **header}
        return [f"Bearer {jwt.encode(_claims(), _strangers_key(), algorithm='RS256', headers=said)}"]

    return make


def _by_a_curve(identity: Identity) -> list[str]:
    key = ec.generate_private_key(ec.SECP256R1())
    return [f"Bearer {jwt.encode(_claims(), key, algorithm='ES256', headers={'kid': _key_id(identity)})}"]


def _own_key_enclosed(identity: Identity) -> list[str]:
    numbers = _strangers_key().public_key().public_numbers()
    n, e = (_part(value.to_bytes((value.bit_length() + 7) // 8)) for value in (numbers.n, numbers.e))
    jwk = {"kty": "RSA", "n": n, "e": e, "kid": _key_id(identity)}
    return _by_a_stranger(jwk=jwk)(identity)


def _said_of_ana(**claims: Any) -> Caller:
    return lambda identity: [f"Bearer {identity.token('ana', **claims)}"]


def _of_header(**header: Any) -> Caller:
    return lambda identity: [f"Bearer {identity.token('ana', header=header)}"]


def _changed(change: Callable[[str, str, str], str]) -> Caller:
    """A good token, spoilt."""
    return lambda identity: [f"Bearer {change(*identity.token('eve').split('.'))}"]


def _anas_claims_eves_signature(identity: Identity) -> list[str]:
    head, _, signature = identity.token("eve").split(".")
    return [f"Bearer {head}.{identity.token('ana').split('.')[1]}.{signature}"]


def _in_form(form: str, **more: Any) -> Caller:
    """A good token, in a header that is none."""
    return lambda identity: [form.format(token=identity.token("ana", **more))]


def _as_json(identity: Identity) -> list[str]:
    head, claims, signature = identity.token("ana").split(".")
    return ["Bearer " + json.dumps({"protected": head, "payload": claims, "signature": signature})]


_HOUR_S = 3600
_DER, _PEM = Encoding.DER, Encoding.PEM
_SPKI, _PKCS1 = PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1
_ELSEWHERE = "https://evil.example.com/jwks.json"

# API Gateway's JWT authorizer turns all of these away, on every route.
STRANGERS: Mapping[str, Caller] = {
    "no token": lambda _: [],
    "an empty header": lambda _: [""],
    "a scheme alone": lambda _: ["Bearer"],
    "a scheme and a space": lambda _: ["Bearer "],
    "nonsense": lambda _: ["Bearer nonsense"],
    "dots": lambda _: ["Bearer .."],
    "bytes that are no text": lambda _: ["Bearer \udcff\udcfe.\udc80.\udc80"],
    "a header nested deep": lambda _: ["Bearer " + _part(b"[" * 6000) + ".e30.e30"],
    "a header that is no object": lambda _: ["Bearer " + _part(["RS256"]) + ".e30.e30"],
    "name and password": lambda _: ["Basic " + base64.b64encode(b"ana:ana").decode()],
    "another scheme": _in_form("Token {token}"),
    "a scheme without a space": _in_form("Bearer{token}"),
    "a scheme and a colon": _in_form("Bearer: {token}"),
    "a scheme said twice": _in_form("Bearer Bearer {token}"),
    "something before the token": _in_form("x {token}"),
    "something after the bare token": _in_form("{token} x"),
    "something after the token": _in_form("Bearer {token} x"),
    "two tokens in one header": _in_form("Bearer {token}, {token}"),
    "two headers": lambda identity: [f"Bearer {identity.token('eve')}", f"Bearer {identity.token('ana')}"],
    "quotes": _in_form('Bearer "{token}"'),
    "a parameter": _in_form('Bearer token="{token}"'),
    "a token in JSON": _as_json,
    "expired": _said_of_ana(exp=int(time.time()) - 1),
    "expired long ago": _said_of_ana(exp=1),
    "never expires": _said_of_ana(exp=None),
    "expires at some word": _said_of_ana(exp="never"),
    "expires at true": _said_of_ana(exp=True),
    "not yet valid": _said_of_ana(nbf=int(time.time()) + _HOUR_S),
    "made in the future": _said_of_ana(iat=int(time.time()) + _HOUR_S),
    "another issuer": _said_of_ana(iss="https://other.example.com/"),
    "an issuer without its slash": _said_of_ana(iss=ISSUER.rstrip("/")),
    "an issuer that ours begins": _said_of_ana(iss=ISSUER + "eve"),
    "no issuer": _said_of_ana(iss=None),
    "another audience": _said_of_ana(aud="another-app"),
    "an audience that ours begins": _said_of_ana(aud=AUDIENCE + "-admin"),
    "an audience in capitals": _said_of_ana(aud=AUDIENCE.upper()),
    "no audience": _said_of_ana(aud=None),
    "an empty audience": _said_of_ana(aud=[]),
    "another audience, and our client": _said_of_ana(aud="another-app", client_id=AUDIENCE),
    "another client": _said_of_ana(aud=None, client_id="another-app"),
    "no algorithm": _forged("none"),
    "no algorithm, oddly spelled": _forged("nOnE"),
    "no algorithm, and a signature": _forged("none", b"x" * 256),
    "an empty algorithm": _forged(""),
    "RS256 and no signature": _forged("RS256"),
    "RS256 and an empty key's": _forged("RS256", b"\0" * 256),
    "an unknown algorithm": _forged("RS1024", b"x" * 256),
    "signed with the public key as PEM": _by_the_public_key(_PEM, _SPKI),
    "signed with the public key as PEM, and a line break": _by_the_public_key(_PEM, _SPKI, ending=b"\n"),
    "signed with the public key as PKCS #1": _by_the_public_key(_PEM, _PKCS1, ending=b"\n"),
    "signed with the public key as DER": _by_the_public_key(_DER, _SPKI),
    "signed with the public key, HS384": _by_the_public_key(_PEM, _SPKI, ending=b"\n", bits=384),
    "signed with the public key, HS512": _by_the_public_key(_PEM, _SPKI, ending=b"\n", bits=512),
    "signed by a stranger": _by_a_stranger(),
    "signed by a stranger, whose key is enclosed": _own_key_enclosed,
    "signed by a stranger, whose key is elsewhere": _by_a_stranger(jku=_ELSEWHERE, x5u=_ELSEWHERE),
    "signed on a curve": _by_a_curve,
    "a key that the issuer does not have": _of_header(kid="another"),
    "a key by a path": _of_header(kid="../../dev/null"),
    "a key by a query": _of_header(kid="' UNION SELECT '"),
    "a key by an empty name": _of_header(kid=""),
    "a key by a list": _forged("RS256", b"x" * 256, kid=["a", "b"]),
    "no key named": _of_header(kid=None),
    "something critical that nobody understands": _of_header(crit=["exp"]),
    "another user's claims": _anas_claims_eves_signature,
    "another user's claims, unsigned": _changed(lambda head, _, __: f"{head}.{_part(_claims())}."),
    "a signature cut short": _changed(lambda head, claims, signature: f"{head}.{claims}.{signature[:-4]}"),
    "no signature": _changed(lambda head, claims, _: f"{head}.{claims}."),
    "two parts": _changed(lambda head, claims, _: f"{head}.{claims}"),
    "four parts": _changed(lambda head, claims, signature: f"{head}.{claims}.{signature}.{signature}"),
    "an encrypted token's five parts": _changed(lambda *parts: ".".join([*parts, "e30", "e30"])),
    "a header that another was signed with": _changed(
        lambda _, claims, signature: f"{_part({'alg': 'RS256', 'kid': 'another'})}.{claims}.{signature}"
    ),
}

# Their tokens are good, and name nobody that a phone could belong to: API Gateway lets them in, Lockstep does not.
NAMELESS: Mapping[str, Caller] = {
    "no subject": _said_of_ana(sub=None),
    "an empty subject": _said_of_ana(sub=""),
    "a subject too long": _said_of_ana(sub="a" * 257),
    "a subject with a line break": _said_of_ana(sub="ana\n"),
    "a subject that begins with NUL": _said_of_ana(sub="\0ana"),
    "a subject that reads backwards": _said_of_ana(sub="\u202eana"),
}

# They are somebody: each of these is another user than ana, however alike the names look.
LOOKALIKES = (
    "Ana",
    "ana ",
    " ana",
    "аna",
    "ana#0",
    "user#ana",
    "ANA",
    "ａｎａ",
    "[ana]",
    "ana,eve",
    "ana\u0301",
    '"ana"',
)
