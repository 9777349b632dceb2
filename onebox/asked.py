"""What the control interface is asked: each part is checked where it enters, before anything is done."""

import re
from collections.abc import Callable, Collection, Mapping
from reprlib import repr as in_short
from typing import Any, TypeGuard

from lockstep.apns import Environment
from lockstep.json_values import Json

_OS_VERSION = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){0,2}")


class Wrong(ValueError):
    """The request asks for what there isn't."""


def parts(body: Json, *, known: Collection[str], needed: Collection[str]) -> dict[str, Any]:
    """
    Return the parts of a request, each of its type; null says nothing.

    Raises:
        Wrong: One is not known, missing, or of another type.
    """
    if not isinstance(body, dict):
        raise Wrong("an object is needed")
    unknown = set(body) - set(known)
    if unknown:
        raise Wrong(f"{min(unknown)}: not known here")
    said = {name: value for name, value in body.items() if value is not None}
    for name in needed:
        if name not in said:
            raise Wrong(f"{name}: needed")
    for name, value in said.items():
        is_right, what = _TYPES[name]
        if not is_right(value):
            raise Wrong(f"{name}: {what}, not {in_short(value)}")
    return said


def _is_text(value: Json) -> TypeGuard[str]:
    return isinstance(value, str)


def _is_object(value: Json) -> bool:
    return isinstance(value, dict)


def _are_texts(value: Json) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


_TEXT, _TEXTS, _OBJECT = (_is_text, "a text"), (_are_texts, "a list of texts"), (_is_object, "an object")

# What each part is, whatever it is a part of.
_TYPES: Mapping[str, tuple[Callable[[Json], bool], str]] = {
    "phone": _TEXT,
    "do": _TEXT,
    "user": _TEXT,
    "name": _TEXT,
    "environment": (lambda value: value in list(Environment), f"one of {', '.join(Environment)}"),
    "os_version": (lambda value: _is_text(value) and _OS_VERSION.fullmatch(value) is not None, 'a text like "18.2"'),
    "attributes_types": (lambda value: _are_texts(value) and bool(value), "a list of texts, one at least"),
    "follows": _TEXTS,
    "self_start": (lambda value: isinstance(value, bool), "true or false"),
    "activity": _TEXT,
    "run": (lambda value: isinstance(value, int) and not isinstance(value, bool), "a whole number"),
    "attributes_type": _TEXT,
    "attributes": _OBJECT,
    "content_state": _OBJECT,
}
