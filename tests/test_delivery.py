"""The one message that asks for a delivery."""

import json
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.apns import Environment
from lockstep.delivery import (
    SUBSCRIBING_MS,
    Audience,
    Delivery,
    Forgetting,
    read_body,
    retry_delay_s,
    subscribed_in_s,
    waited_s,
)
from lockstep.errors import InvalidInput

hashes = st.text("0123456789abcdef", min_size=32, max_size=32)
counts = st.integers(0, 1000)
deliveries = st.builds(
    Delivery,
    activity=st.just("order-42"),
    audience=st.sampled_from(Audience),
    first=st.just("") | hashes,
    last=st.just("") | hashes,
    phones=st.none() | st.lists(hashes, max_size=3, unique=True).map(tuple),
    from_revision=st.none() | counts,
    attempt=counts,
    hops=counts,
)


@given(deliveries)
def test_a_delivery_survives_its_message(delivery: Delivery) -> None:
    assert read_body(delivery.to_body()) == delivery


@pytest.mark.parametrize("phone", [None, "f0" * 16])
@pytest.mark.parametrize("observed_before_ms", [None, 0, 1_800_000_000_000])
def test_a_forgetting_survives_its_message(phone: str | None, observed_before_ms: int | None) -> None:
    forgetting = Forgetting("ana", phone, 1_800_000_000_000, observed_before_ms)

    assert read_body(forgetting.to_body()) == forgetting


def test_what_a_later_release_adds_is_passed_over() -> None:
    body = json.loads(Delivery("order-42").to_body()) | {"v": 2, "slice": {"of": 64}}

    assert read_body(json.dumps(body)) == Delivery("order-42")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"activity": "order-42"}',
        '{"activity": "order-42", "audience": "everyone"}',
        '{"activity": "order-42", "audience": "all", "phones": "f0"}',
        '{"activity": "order-42", "audience": "all", "attempt": -1}',
        '{"activity": "order-42", "audience": "all", "attempt": "1"}',
        '{"activity": "order-42", "audience": "all", "attempt": 1.0}',
        '{"activity": "order-42", "audience": "all", "attempt": 9223372036854775808}',
        '{"activity": "order/42", "audience": "all"}',
        '{"activity": "", "audience": "all"}',
        '{"activity": 42, "audience": "all"}',
        '{"activity": "order-42", "audience": ["all"]}',
        '{"activity": "order-42", "audience": "all", "first": "g"}',
        '{"activity": "order-42", "audience": "all", "first": "0", "last": 7}',
        '{"activity": "order-42", "audience": "all", "last": "000000000000000000000000000000000"}',
        '{"activity": "order-42", "audience": "all", "phones": ["f0"]}',
        '{"activity": "order-42", "audience": "all", "channels": "production"}',
        '{"activity": "order-42", "audience": "all", "channels": ["test"]}',
        '{"forget": {}}',
        '{"forget": "ana"}',
        '{"forget": {"owner": ""}}',
        '{"forget": {"owner": "a\\u0000b"}}',
        '{"forget": {"owner": "ana", "phone": "device-1"}}',
        '{"forget": {"owner": "ana", "up_to_ms": 9223372036854775808}}',
        "[" * 1000,
    ],
)
def test_what_is_no_delivery_is_refused(body: str) -> None:
    with pytest.raises(InvalidInput):
        read_body(body)


def test_a_delivery_names_a_thousand_phones_at_most_and_each_once() -> None:
    body = {"activity": "order-42", "audience": "cards"}
    phones = [f"{i:032x}" for i in range(1000)]

    named = read_body(json.dumps(body | {"phones": phones}))
    twice = read_body(json.dumps(body | {"phones": phones[:2] * 2}))

    assert isinstance(named, Delivery)
    assert isinstance(twice, Delivery)
    assert named.phones == tuple(phones)
    assert twice.phones == tuple(phones[:2])
    with pytest.raises(InvalidInput, match="1000 at most"):
        read_body(json.dumps(body | {"phones": [*phones, "f" * 32]}))


def test_a_delivery_to_channels_names_no_phone_and_each_once_whoever_wrote_it() -> None:
    """It speaks for part of the audience alone: a delivery to everyone would be noted as done."""
    delivery = read_body('{"activity": "order-42", "audience": "cards", "channels": ["sandbox", "sandbox"]}')

    assert delivery == Delivery.on_channels("order-42", [Environment.SANDBOX])


def test_the_reason_against_a_delivery_quotes_nothing_of_it() -> None:
    """A publish that was sent to the wrong queue has a state in it, and what was mistyped may be a token."""
    for name in ("activity", "audience", "first", "last", "phones", "channels", "attempt"):
        body = json.loads(Delivery("order-42").to_body()) | {name: ["Zaphod/42"]}

        with pytest.raises(InvalidInput) as refused:
            read_body(json.dumps(body))

        assert refused.value.field == name
        assert "Zaphod" not in str(refused.value)


def test_a_delivery_to_an_audiences_end_serves_the_whole_audience() -> None:
    assert Delivery("order-42").whole
    assert Delivery("order-42", first="80" * 16).whole
    assert not Delivery("order-42", last="7f" * 16).whole
    assert not Delivery("order-42", phones=("f0" * 16,)).whole


@pytest.mark.parametrize(
    ("attempt", "nominal_s"), [(0, 1), (1, 2), (2, 4), (8, 256), (9, 512), (10, 900), (60, 900), (10**9, 900)]
)
def test_retries_back_off_to_a_quarter_of_an_hour_give_or_take_a_quarter(attempt: int, nominal_s: int) -> None:
    delays = {retry_delay_s(attempt) for _ in range(200)}

    assert min(delays) >= max(1, int(nominal_s * 0.75))
    assert max(delays) <= min(900, nominal_s * 1.25 + 1)


def test_ten_attempts_take_some_seventeen_minutes() -> None:
    assert [waited_s(attempt) for attempt in (0, 1, 2, 9, 10)] == [0, 1, 3, 511, 1023]


def test_what_is_said_again_for_those_just_started_is_said_once_for_all_of_a_quarter_of_a_minute() -> None:
    """The first message of a step finds all phones of that step subscribed, so the others find nothing to do."""
    since_ms = range(1_800_000_000_000, 1_800_000_060_000, 250)

    steps: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for at_ms in since_ms:
        due_ms = at_ms + subscribed_in_s(at_ms) * 1000
        steps[due_ms // 15_000].append((at_ms, due_ms))

    assert len(steps) == 5
    for told in steps.values():
        assert max(at_ms for at_ms, _ in told) + SUBSCRIBING_MS <= min(due_ms for _, due_ms in told)
