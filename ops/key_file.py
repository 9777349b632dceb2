"""The .p8 file that Apple lets its owner download once, and the two ids that belong to it: what is wrong with them, in words."""

import re
from pathlib import Path

from lockstep.errors import InvalidInput, Misconfigured
from lockstep.provider_token import SigningKey

# Apple's ids of teams and keys.
_ID = re.compile(r"[A-Z0-9]{10}")

# Apple names the file for its key.
_NAME = re.compile(r"AuthKey_([A-Z0-9]{10})\.p8")

# What people have at hand in its place, by its first line.
_NO_KEYS = {
    "PUBLIC KEY": "a public key",
    "CERTIFICATE": "a certificate; Lockstep signs with a key and needs none",
    "ENCRYPTED PRIVATE KEY": "a key behind a passphrase",
    "RSA PRIVATE KEY": "an RSA key, and none of Apple's for pushes",
}


def key_id_of(p8: Path, given: str) -> str:
    """
    Return the key's id: the one that was given, or that in the file's name.

    Raises:
        InvalidInput: There is none, it is malformed, or the file's name says another.
    """
    found = _NAME.fullmatch(p8.name)
    named = found[1] if found else None
    if not given and named is None:
        raise InvalidInput(
            "KEY_ID", f"is missing, and the name {p8.name} doesn't say it as AuthKey_KEYID12345.p8 would"
        )
    if given and named not in (None, given):
        raise InvalidInput(
            "KEY_ID", f"is {given}, and the file is of the key {named}: leave it out, or rename the file"
        )
    return _checked("KEY_ID", given or str(named), "as in the file's name, AuthKey_KEYID12345.p8")


def team_id(given: str) -> str:
    """
    Return the team's id.

    Raises:
        InvalidInput: It is malformed.
    """
    return _checked("TEAM_ID", given, "under Membership details at developer.apple.com/account")


def private_key(p8: Path) -> str:
    """
    Return the file's content.

    Raises:
        InvalidInput: It can't be read, or is no private key on P-256, as Apple's are.
    """
    try:
        text = p8.read_text()
    except FileNotFoundError:
        raise InvalidInput("P8", f"there is no file {p8}") from None
    except OSError as error:
        raise InvalidInput("P8", f"{p8} can't be read: {error.strerror}") from error
    except UnicodeDecodeError:
        text = ""
    begins = re.search(r"-----BEGIN ([A-Z ]+)-----", text)
    if begins is None:
        raise InvalidInput("P8", f"{p8} holds no private key: the first line of Apple's says PRIVATE KEY")
    if begins[1] in _NO_KEYS:
        raise InvalidInput(
            "P8", f"{p8} holds {_NO_KEYS[begins[1]]}. It takes the .p8 file that Apple let you download once"
        )
    try:
        # The ids are of no account here.
        SigningKey("", "", text).load()
    except Misconfigured as error:
        why = "a key that is not on P-256" if "P-256" in str(error) else "a damaged private key"
        raise InvalidInput("P8", f"{p8} holds {why}. It takes the .p8 file as Apple let you download it") from None
    return text


def _checked(name: str, given: str, where: str) -> str:
    if _ID.fullmatch(given):
        return given
    why = f"{len(given)} characters" if len(given) != 10 else "others than these"
    raise InvalidInput(name, f"is ten of A-Z and 0-9, {where}; {given} has {why}")
