"""The provider token: on its grid, the same everywhere, and silent about its key."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from lockstep.errors import Misconfigured
from lockstep.provider_token import GRID_S, ProviderToken, SigningKey

# The key of RFC 6979, A.2.5.
PRIVATE = ec.derive_private_key(0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721, ec.SECP256R1())
PEM = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
KEY = SigningKey("TEAM123456", "KEY1234567", PEM)
LINE_S = 600_000 * GRID_S


def token_at(now_s: float) -> str:
    return ProviderToken(KEY, lambda: now_s).current()


def issued_at(token: str) -> int:
    return int(jwt.decode(token, PUBLIC, algorithms=["ES256"], options={"verify_iat": False})["iat"])


def test_it_says_who_we_are_and_when_and_no_more() -> None:
    token = token_at(LINE_S + 60)

    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": "KEY1234567", "typ": "JWT"}
    assert jwt.decode(token, PUBLIC, algorithms=["ES256"], options={"verify_iat": False}) == {
        "iss": "TEAM123456",
        "iat": LINE_S,
    }


@pytest.mark.parametrize(("age_s", "line_s"), [(0, 0), (1, 0), (49 * 60 + 59.9, 0), (50 * 60, GRID_S), (-0.1, -GRID_S)])
def test_it_is_never_older_than_50_minutes_and_never_of_the_future(age_s: float, line_s: int) -> None:
    assert issued_at(token_at(LINE_S + age_s)) == LINE_S + line_s


def test_two_processes_present_the_same_token() -> None:
    program = (
        "import sys; from lockstep.provider_token import ProviderToken, SigningKey;"
        "print(ProviderToken(SigningKey('TEAM123456', 'KEY1234567', sys.stdin.read()), lambda: float(sys.argv[1])).current())"
    )

    def of_another_process(now_s: float) -> str:
        return subprocess.run(
            [sys.executable, "-c", program, str(now_s)],
            input=PEM,
            text=True,
            capture_output=True,
            check=True,
            cwd=Path(__file__).parent.parent / "layers" / "shared",
        ).stdout.strip()

    assert of_another_process(LINE_S + 1) == of_another_process(LINE_S + 2999) == token_at(LINE_S + 1500)


def test_it_is_signed_by_the_book() -> None:
    """RFC 6979, A.2.5: the signature of "sample" with SHA-256."""
    from lockstep.provider_token import _DeterministicES256

    signature = _DeterministicES256().sign(b"sample", PRIVATE)

    assert signature.hex().upper() == (
        "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
        "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
    )


def test_a_clock_behind_apples_gets_a_younger_token_that_is_still_everyones() -> None:
    now_s = LINE_S + 40 * 60
    one, other = ProviderToken(KEY, lambda: now_s), ProviderToken(KEY, lambda: now_s)
    assert issued_at(one.current()) == LINE_S

    one.expired()
    other.expired()

    assert issued_at(one.current()) == LINE_S + 25 * 60
    assert one.current() == other.current()


@pytest.mark.parametrize(
    ("age_s", "line_s"),
    [(0, 0), (24 * 60 + 59, 0), (25 * 60, 25 * 60), (49 * 60 + 59, 25 * 60), (50 * 60, 50 * 60), (-1, -25 * 60)],
)
def test_once_apple_called_one_expired_it_is_never_older_than_25_minutes(age_s: float, line_s: int) -> None:
    token = ProviderToken(KEY, lambda: LINE_S + age_s)

    token.expired()
    token.expired()

    assert issued_at(token.current()) == LINE_S + line_s


def pem_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def pem_of_an_unknown_curve() -> str:
    """Call the curve by the name of one that is not built in: prime239v3."""
    der = PRIVATE.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    unknown = der.replace(bytes.fromhex("2A8648CE3D030107"), bytes.fromhex("2A8648CE3D030106"))
    return f"-----BEGIN PRIVATE KEY-----\n{base64.encodebytes(unknown).decode()}-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("", "not JSON"),
        (PEM, "not JSON"),
        ("[]", "not a JSON object"),
        (json.dumps({"key_id": "KEY1234567", "private_key": PEM}), "team_id"),
        (json.dumps({"team_id": "TEAM12345", "key_id": "KEY1234567", "private_key": PEM}), "team_id"),
        (json.dumps({"team_id": "TEAM123456", "key_id": "KEY12345678", "private_key": PEM}), "key_id"),
        (json.dumps({"team_id": "TEAM123456", "key_id": "KEY1234567", "private_key": 7}), "private_key"),
        (json.dumps({"team_id": "TEAM123456", "key_id": "KEY1234567", "private_key": PUBLIC}), "private key"),
        (json.dumps({"team_id": "TEAM123456", "key_id": "KEY1234567", "private_key": "-----"}), "private key"),
        (
            json.dumps(
                {"team_id": "TEAM123456", "key_id": "KEY1234567", "private_key": pem_of_an_unknown_curve()},
            ),
            "private key",
        ),
        (
            json.dumps(
                {
                    "team_id": "TEAM123456",
                    "key_id": "KEY1234567",
                    "private_key": pem_of(ec.generate_private_key(ec.SECP384R1())),
                }
            ),
            "P-256",
        ),
        (
            json.dumps(
                {
                    "team_id": "TEAM123456",
                    "key_id": "KEY1234567",
                    "private_key": pem_of(rsa.generate_private_key(65537, 2048)),
                }
            ),
            "P-256",
        ),
    ],
)
def test_what_is_no_key_is_named_without_being_quoted(secret: str, words: str) -> None:
    with pytest.raises(Misconfigured, match=words) as refused:
        SigningKey.from_json(secret)

    assert "-----BEGIN" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_key_never_prints_itself() -> None:
    key = SigningKey.from_json(json.dumps({"team_id": "TEAM123456", "key_id": "KEY1234567", "private_key": PEM}))

    assert key == KEY
    assert "PRIVATE" not in repr(key)
    assert "PRIVATE" not in repr(ProviderToken(key, lambda: 0.0))
