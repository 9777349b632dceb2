"""The search for what must never be printed: the signing key, JWTs, whole push tokens, content-states."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

# Three parts of base64url, of which the first two are JSON objects.
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

# A token has 64 to 512 hex digits; what else functions know by so many are hashes, and none of them is printed. One digit
# again and again is no token, but an activity of the longest name.
_TOKEN = re.compile(r"(?=[0-9A-Fa-f]{64})(.)\1*(?!\1)[0-9A-Fa-f]")

# What PEM says, and how every P-256 key in PKCS #8 begins.
_KEY = re.compile(r"PRIVATE KEY|MIGHAgEAMBMGByqGSM49")

# A key of an object in text: of JSON, of JSON in a string, of Python's repr.
_NAME = re.compile(r"""["']([^"'\\]+)\\*["']\s*:""")

# A text in a content-state that is shorter may stand in a line by chance.
_UNMISTAKABLE = 6


# What else has names of its own in a line: EMF's directive, and Powertools' account of an error.
_BY_THE_LOGGER = ("_aws", "stack_trace")


class Secrets:
    """What a run of the tests came to know as secret."""

    def __init__(self) -> None:
        self._key_lines: set[str] = set()
        self._state_names: set[str] = set()
        self._state_texts: set[str] = set()

    def learn_key(self, secret: str) -> None:
        """Note a signing key, as it lies in Secrets Manager."""
        try:
            said = json.loads(secret)
        except ValueError:
            return
        pem = said.get("private_key") if isinstance(said, dict) else None
        if isinstance(pem, str):
            self._key_lines |= {line for line in pem.splitlines() if len(line) >= 16 and not line.startswith("-")}

    def learn_states(self, request: object) -> None:
        """Note every content-state in a request to AWS: in its strings, and in what those hold as JSON."""
        match request:
            case str() if "content-state" in request:
                try:
                    self.learn_states(json.loads(request))
                except ValueError:
                    return
            case Mapping():
                for name, value in request.items():
                    if name == "content-state":
                        self._learn_state(value)
                    else:
                        self.learn_states(value)
            case list() | tuple():
                for value in request:
                    self.learn_states(value)

    def _learn_state(self, value: object) -> None:
        match value:
            case str() if len(value) >= _UNMISTAKABLE:
                self._state_texts.add(value)
            case Mapping():
                self._state_names |= set(value)
                for one in value.values():
                    self._learn_state(one)
            case list():
                for one in value:
                    self._learn_state(one)

    def found_in(self, line: str) -> list[str]:
        """Say what secrets stand in a line."""
        texts = list(_texts(_read(line)))
        names = {name for text, is_name in texts for name in ([text] if is_name else _NAME.findall(text))}
        whole = "\n".join(text for text, _ in texts)
        found = {
            "a key": _KEY.search(whole) or any(one in whole for one in self._key_lines),
            "a JWT": _JWT.search(whole),
            "a whole token": _TOKEN.search(whole),
            "a content-state": names & self._state_names or any(text in whole for text in self._state_texts),
        }
        return [what for what, there in found.items() if there]


def _read(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return line


def _texts(value: Any, *, ours: bool = True, line: bool = True) -> Iterator[tuple[str, bool]]:
    """
    Yield every text in a value, and whether it names something in an object of somebody else's.

    Args:
        ours: Whether the names in the value are the logger's, or ours.
        line: Whether the value is the whole line.
    """
    if isinstance(value, str):
        yield value, False
    elif isinstance(value, dict):
        for name, one in value.items():
            yield name, not ours
            yield from _texts(one, ours=name in _BY_THE_LOGGER if line else ours, line=False)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one, ours=ours, line=False)
