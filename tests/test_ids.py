"""Ids, and the hash that stands for a phone."""

import pytest

from lockstep.ids import is_id, is_user, phone_of, shorten


@pytest.mark.parametrize("text", ["a", "order-42", "A.b_c:d@e-9", "x" * 128])
def test_these_may_be_ids(text: str) -> None:
    assert is_id(text)


@pytest.mark.parametrize("value", ["", "x" * 129, "a/b", "a#b", "a?b", "a b", "ä", "a\n", None, 7, ["a"]])
def test_these_may_not(value: object) -> None:
    assert not is_id(value)


@pytest.mark.parametrize("text", ["ana", "auth0|5f7c8ec7c33c6c004bbafe82", "Ana Müller", "x" * 256])
def test_a_user_is_whatever_the_identity_provider_says(text: str) -> None:
    assert is_user(text)


@pytest.mark.parametrize("value", ["", "x" * 257, "a\x00b", "\ud800", None, 7])
def test_but_not_just_anything(value: object) -> None:
    assert not is_user(value)


def test_a_phone_is_known_by_a_hash_from_which_its_device_id_cannot_be_told() -> None:
    phone = phone_of("6f9619ff-8b86-d011-b42d-00c04fc964ff")

    assert len(phone) == 32
    assert int(phone, 16) >= 0
    assert phone != phone_of("6f9619ff-8b86-d011-b42d-00c04fc964fe")


def test_a_shortened_token_is_no_token() -> None:
    assert shorten("a1" * 80) == "a1a1a1…(160)"
