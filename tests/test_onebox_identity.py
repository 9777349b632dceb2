"""Whom the API lets in."""

from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from onebox.identity import AUDIENCE, ISSUER, Identity, JwtCheck

NOW_S = 1_800_000_000


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return Identity(tmp_path_factory.mktemp("identity"), now=lambda: NOW_S)


@pytest.fixture
def check(identity: Identity) -> JwtCheck:
    return JwtCheck(identity.keys, issuer=ISSUER, audience=[AUDIENCE], now=lambda: NOW_S)


@pytest.mark.parametrize("prefix", ["Bearer ", "bearer ", ""])
def test_a_good_token_is_let_in_with_or_without_its_scheme(identity: Identity, check: JwtCheck, prefix: str) -> None:
    claims = check.claims(prefix + identity.token("ana"))

    assert claims is not None
    assert claims["sub"] == "ana"


def test_claims_reach_the_function_as_text(identity: Identity, check: JwtCheck) -> None:
    claims = check.claims(identity.token("ana", groups=["a", "b"], admin=True))

    assert claims is not None
    assert (claims["exp"], claims["groups"], claims["admin"]) == (str(NOW_S + 24 * 3600), "[a b]", "true")


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere.example.com/"},
        {"iss": None},
        {"aud": "another-app"},
        {"aud": None},
        {"aud": "another-app", "client_id": AUDIENCE},
        {"exp": NOW_S},
        {"exp": None},
        {"exp": "tomorrow"},
        {"nbf": NOW_S + 1},
        {"iat": NOW_S + 1},
    ],
)
def test_a_token_that_is_not_for_us_or_not_of_now_is_refused(
    identity: Identity, check: JwtCheck, claims: dict[str, Any]
) -> None:
    assert check.claims(identity.token("ana", **claims)) is None


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["another-app", AUDIENCE]},
        {"aud": None, "client_id": AUDIENCE},
        {"exp": NOW_S + 1},
        {"nbf": NOW_S},
        {"iat": None},
    ],
)
def test_a_token_within_its_limits_is_let_in(identity: Identity, check: JwtCheck, claims: dict[str, Any]) -> None:
    assert check.claims(identity.token("ana", **claims)) is not None


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer nonsense", "Basic YW5hOmFuYQ=="])
def test_what_is_no_token_is_refused(check: JwtCheck, header: str | None) -> None:
    assert check.claims(header) is None


def test_another_signature_is_refused(identity: Identity, check: JwtCheck) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ana", "exp": NOW_S + 60}
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    [key_id] = identity.keys
    named = {"kid": key_id}

    assert check.claims(jwt.encode(claims, stranger, algorithm="RS256", headers=named)) is None
    assert check.claims(jwt.encode(claims, "x" * 32, algorithm="HS256", headers=named)) is None
    assert check.claims(jwt.encode(claims, "", algorithm="none", headers=named)) is None


@pytest.mark.parametrize("key_id", [None, "", "another"])
def test_a_token_names_a_key_of_its_issuer_or_is_refused(
    identity: Identity, check: JwtCheck, key_id: str | None
) -> None:
    assert check.claims(identity.token("ana", header={"kid": key_id})) is None


@pytest.mark.parametrize("form", ["{} x", "x {}", "Bearer {} x", "Bearer{}", "Bearer: {}"])
def test_there_is_nothing_beside_a_token(identity: Identity, check: JwtCheck, form: str) -> None:
    assert check.claims(form.format(identity.token("ana"))) is None


def test_a_token_outlives_a_restart(tmp_path: Path) -> None:
    token = Identity(tmp_path).token("ana")

    again = JwtCheck(Identity(tmp_path).keys, issuer=ISSUER, audience=[AUDIENCE])

    assert again.claims(f"Bearer {token}") is not None
    assert (tmp_path / "identity.pem").stat().st_mode & 0o077 == 0
