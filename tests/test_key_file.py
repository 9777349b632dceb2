"""What `make key` says of files and ids that are not those of an APNs key. No message quotes a file."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from lockstep.errors import InvalidInput
from ops.key_file import key_id_of, private_key, team_id

APPLE = ec.generate_private_key(ec.SECP256R1())
WHOLE = APPLE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
PUBLIC = APPLE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
LOCKED = APPLE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word"))
RSA = rsa.generate_private_key(65537, 2048)
OLD_RSA = RSA.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
NEW_RSA = RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_a_file_as_apple_hands_it_out_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "AuthKey_KEYID12345.p8"
    file.write_bytes(WHOLE)

    assert private_key(file) == WHOLE.decode()
    assert key_id_of(file, "") == key_id_of(file, "KEYID12345") == "KEYID12345"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (PUBLIC, "a public key"),
        (LOCKED, "passphrase"),
        (OLD_RSA, "an RSA key"),
        (NEW_RSA, "not on P-256"),
        (b"-----BEGIN CERTIFICATE-----\n", "a certificate"),
        (WHOLE[:60], "damaged"),
        (b"a file of something else", "says PRIVATE KEY"),
        (b"\xff\xfe\x00", "says PRIVATE KEY"),
        (b"", "says PRIVATE KEY"),
    ],
)
def test_a_file_that_holds_something_else_is_called_what_it_is(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "key.p8"
    file.write_bytes(content)

    with pytest.raises(InvalidInput, match=words) as refused:
        private_key(file)

    assert refused.value.field == "P8"
    for line in content.decode(errors="replace").splitlines()[1:]:
        assert line not in str(refused.value)


@pytest.mark.parametrize(("name", "words"), [("there-is-none.p8", "there is no file"), (".", "can't be read")])
def test_what_is_no_file_is_named(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        private_key(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("AuthKey_KEYID12345.p8", "KEYID1234X", "the file is of the key KEYID12345"),
        ("key.p8", "", "is missing"),
        ("key.p8", "KEYID1234", "9 characters"),
        ("key.p8", "KEYID123456", "11 characters"),
        ("key.p8", "keyid12345", "others"),
    ],
)
def test_a_key_id_that_is_not_the_files_or_no_id_is_refused(name: str, given: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        key_id_of(Path(name), given)


@pytest.mark.parametrize("given", ["", "TEAMID123", "TEAMID12345", "teamid1234"])
def test_a_team_id_of_another_shape_is_refused_with_where_the_right_one_stands(given: str) -> None:
    assert team_id("TEAMID1234") == "TEAMID1234"

    with pytest.raises(InvalidInput, match=r"Membership details at developer\.apple\.com"):
        team_id(given)
