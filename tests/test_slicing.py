"""Big audiences: slices of them, handed on, split, crashed and repeated, and every phone hears each state once."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import replace
from typing import Any

import pytest

from lockstep.activities import Activities
from lockstep.apns import Environment
from lockstep.delivery import Delivery, read_body
from lockstep.envelope import SqsRecord
from lockstep.followers import Followers
from lockstep.ids import phone_of
from lockstep.jobs import Invocation
from lockstep.models import CardRegistration
from lockstep.phones import Card, Follower, Phone, StartToken
from lockstep.shards import shard_of
from lockstep.slice_items import SliceItems
from onebox.stack import Stack
from tests.messages import start, update
from tests.pushing import ORDER, ask, hook, now_ms, refused, row, say, set_up_with, settle, tokens

TEAM = "team-42"


@pytest.fixture(autouse=True)
def small_pages(stack: Stack) -> Iterator[None]:
    """Deploy push with sizes at which a test's handful of phones is a crowd."""
    with set_up_with(stack, PAGE_PHONES="3", SLICE_PHONES="10"):
        yield


def followers(stack: Stack) -> Followers:
    return Followers(stack.aws.dynamodb, stack.aws.tables["TokensTable"])


def crowd(stack: Stack, count: int, *, cards: bool = False) -> dict[str, str]:
    """Register phones that follow the team, or show a card; returns the token of each."""
    at_ms, found = now_ms() - 1000, {}
    for i in range(count):
        phone, owner = phone_of(f"device-{i}"), f"user-{i}"
        follows = () if cards else (TEAM,)
        item = Phone(phone, owner, environment=Environment.PRODUCTION, follows=follows)
        assert tokens(stack).replace_phone(None, item, now_s=at_ms // 1000)
        found[phone] = token = stack.apns.issue_token(Environment.PRODUCTION)
        if cards:
            card = Card(ORDER, phone, "c", owner, 0, token, at_ms, at_ms)
            assert tokens(stack).put_card(card, now_s=at_ms // 1000)
        else:
            start_token = StartToken(owner, phone, "OrderAttributes", token, at_ms, at_ms)
            assert tokens(stack).put_start_token(start_token, now_s=at_ms // 1000)
    followers(stack).put(
        (Follower(TEAM, phone, f"user-{i}", at_ms, at_ms) for i, phone in enumerate(found) if not cards),
        now_s=at_ms // 1000,
    )
    return found


def heard(stack: Stack, event: str) -> Counter[str]:
    """Count the pushes of an event that Apple took, by token."""
    return Counter(p.token for p in stack.apns.pushes if p.status == 200 and p.payload["aps"]["event"] == event)


def to_team(**more: Any) -> dict[str, Any]:
    return {**start(ORDER, **more), "to": {"audience": TEAM}}


def queued_slices(stack: Stack) -> list[Delivery]:
    found = [read_body(message.body) for message in stack.queues.look("SliceQueue")]
    return [one for one in found if isinstance(one, Delivery)]


def test_an_audience_of_more_than_a_page_is_handed_to_sixteen_slices(stack: Stack) -> None:
    crowd(stack, 40, cards=True)

    say(stack, update())

    slices = queued_slices(stack)
    assert sorted(one.first for one in slices) == list("0123456789abcdef")
    assert all(one.is_slice and one.from_revision == 0 and one.hops == 1 for one in slices)
    assert not stack.apns.pushes
    assert row(stack).sliced
    assert not row(stack).owes


def test_every_card_of_a_big_audience_hears_each_state_once(stack: Stack) -> None:
    phones = crowd(stack, 40, cards=True)

    for minutes in (9, 8, 7):
        say(stack, update(minutes=minutes))
        settle(stack)
        assert heard(stack, "update") == Counter(phones.values())
        stack.apns.clear()


def test_everyone_who_follows_a_name_is_started_once_slice_by_slice(stack: Stack) -> None:
    phones = crowd(stack, 60)

    say(stack, to_team())
    settle(stack)

    assert heard(stack, "start") == Counter(phones.values())
    assert not row(stack).owes_starts
    say(stack, to_team())
    say(stack, update())
    settle(stack)
    assert heard(stack, "start") == Counter(phones.values()), "markers block a second start"


def test_a_few_followers_are_started_without_slices(stack: Stack) -> None:
    phones = crowd(stack, 3)

    say(stack, to_team())

    assert heard(stack, "start") == Counter(phones.values())
    assert not row(stack).sliced
    assert not queued_slices(stack)


def test_a_phone_that_no_longer_follows_is_not_started_whatever_the_index_says(stack: Stack) -> None:
    phones = crowd(stack, 30)
    gone = sorted(phones)[3]
    item = tokens(stack).phones([gone])[gone]
    assert tokens(stack).replace_phone(item, replace(item, follows=("another",)), now_s=int(time.time()))

    say(stack, to_team())
    settle(stack)

    assert set(heard(stack, "start")) == {token for phone, token in phones.items() if phone != gone}


def test_a_slice_that_is_too_big_splits_again(stack: Stack) -> None:
    stack.functions["PushFunction"].restart(PAGE_PHONES="1", SLICE_PHONES="2")
    phones = crowd(stack, 24, cards=True)
    slices = SliceItems(stack.aws.dynamodb, stack.aws.tables["ActivitiesTable"])
    waits: list[int | None] = []

    def look(params: dict[str, Any], **_: Any) -> None:
        for entry in params["Entries"]:
            part = json.loads(entry["MessageBody"])
            waits.append(slices.held_above(ORDER, part.get("first", ""), now_ms=now_ms()))

    with hook(stack, "provide-client-params.sqs.SendMessageBatch", look):
        say(stack, update())
        settle(stack)
    assert waits
    assert set(waits) == {None}, "no part waits for the lease of the slice that was split"
    say(stack, update(minutes=3))
    settle(stack)

    assert heard(stack, "update") == Counter(dict.fromkeys(phones.values(), 2))
    known = slices.every(ORDER, born=row(stack).first_run, most=1_000)
    told = [one.slice.cards for one in known if one.slice.cards is not None]
    assert {one.revision for one in told} == {row(stack).revision}
    assert sum((Counter(dict(one.counts)) for one in told), Counter()) == {"Accepted": len(phones)}
    scanned = stack.aws.dynamodb.scan(TableName=stack.aws.tables["ActivitiesTable"])["Items"]
    split = [item["activity"]["S"] for item in scanned if "served_by_parts" in item]
    assert len(split) > 1


def test_an_alert_rings_once_for_each_phone_though_a_state_follows_at_once(stack: Stack) -> None:
    phones = crowd(stack, 40, cards=True)

    say(stack, update(aps={"alert": {"title": "Nearly there"}}))
    say(stack, update(minutes=3))
    settle(stack)

    rang = Counter(p.token for p in stack.apns.pushes if p.status == 200 and "alert" in p.payload["aps"])
    assert rang == Counter(phones.values())


def test_a_crash_repeats_a_page_at_most_and_misses_nobody(stack: Stack) -> None:
    phones = crowd(stack, 40, cards=True)
    say(stack, update())
    [first, *_] = sorted(queued_slices(stack), key=lambda one: one.first)
    saves: list[None] = []

    def dies(params: dict[str, Any], **_: Any) -> None:
        if "#cursor" in params.get("UpdateExpression", ""):
            saves.append(None)
            raise SystemExit("the function is killed")

    with hook(stack, "provide-client-params.dynamodb.UpdateItem", dies), pytest.raises(SystemExit):
        say(stack, json.loads(first.to_body()), queue="SliceQueue")

    assert saves
    stack.drain(hasten=True, within_s=60)
    again = heard(stack, "update")
    assert set(again) == set(phones.values())
    assert sum(again.values()) <= len(phones) + 6


def test_two_functions_never_work_on_the_same_slice(stack: Stack) -> None:
    phones = crowd(stack, 60)
    other = stack.container("PushFunction")
    other.load()
    try:
        say(stack, to_team())
        events = [stack.take("SliceQueue") for _ in range(16)]
        both = [(function, event) for event in events for function in (stack.functions["PushFunction"], other)]
        with ThreadPoolExecutor(2) as pool:
            mine = pool.submit(lambda: [f.invoke(e) for f, e in both if f is not other])
            others = pool.submit(lambda: [f.invoke(e) for f, e in both if f is other])
            mine.result()
            others.result()
        settle(stack)
    finally:
        other.log.close()

    assert heard(stack, "start") == Counter(phones.values())


def test_a_slice_whose_time_is_up_goes_on_from_where_it_is(stack: Stack) -> None:
    phones = crowd(stack, 40, cards=True)
    say(stack, update())
    records = map(SqsRecord.of, stack.take("SliceQueue")["Records"])
    over = Invocation("us", deadline_s=time.time(), lease_until_ms=now_ms() + 1000)

    assert stack.functions["PushFunction"].names["batch"].handle(records, over) == []

    assert not stack.apns.pushes
    assert [one.hops for one in queued_slices(stack)].count(2) == 1
    settle(stack)
    assert heard(stack, "update") == Counter(phones.values())


def test_a_name_must_be_an_id(stack: Stack) -> None:
    say(stack, {**start(ORDER), "to": {"audience": "a/b"}}, {**start(ORDER), "to": {"audience": 7}})

    assert [one["reason"].partition(":")[0] for one in refused(stack)] == ["to.audience"] * 2


def test_a_phone_that_follows_during_the_activity_is_offered_it_and_started_once(stack: Stack) -> None:
    say(stack, to_team())
    settle(stack)
    phone = stack.phones.of("zoe")
    settle(stack)
    assert phone.shows(ORDER) is None

    phone.app.follows = [TEAM]
    phone.app.report()
    settle(stack)

    assert phone.shows(ORDER) is not None
    assert len([card for card in phone.cards if card.activity == ORDER]) == 1


# --- shards


def shards_of(stack: Stack) -> Counter[int]:
    """Count the phones of which something is stored in each of the activity's partitions."""
    scanned = stack.aws.dynamodb.scan(TableName=stack.aws.tables["TokensTable"])["Items"]
    places = {(item["audience"]["S"], item["device_key"]["S"]) for item in scanned}
    return Counter(int(key.rpartition("#")[2]) for key, _ in places if key.startswith("activity#"))


def test_a_big_audience_is_started_in_as_many_partitions_as_it_needs(stack: Stack) -> None:
    phones = crowd(stack, 60)

    say(stack, to_team())

    assert row(stack).shards == 64, "before the first slice is served"
    settle(stack)
    assert shards_of(stack) == Counter(shard_of(phone, 64) for phone in phones)
    assert heard(stack, "start") == Counter(phones.values())


def test_a_small_audience_stays_in_one_partition(stack: Stack) -> None:
    crowd(stack, 3)

    say(stack, to_team())
    settle(stack)

    assert row(stack).shards == 1
    assert set(shards_of(stack)) == {0}


def test_cards_from_before_the_audience_grew_hear_everything_and_move_when_they_register_again(stack: Stack) -> None:
    phones = crowd(stack, 40, cards=True)
    say(stack, update())
    settle(stack)
    assert set(shards_of(stack)) == {0}
    stack.apns.clear()

    [(device, phone)] = [(f"device-{i}", p) for i, p in enumerate(phones) if shard_of(p, 64)][:1]
    registered = {"activity": ORDER, "token": phones[phone]}
    ask(stack, f"{device}/cards/c", registered, f"user-{device.removeprefix('device-')}")

    assert shards_of(stack) == Counter({0: 39, shard_of(phone, 64): 1})
    say(stack, update(minutes=2))
    settle(stack)
    last = [push.token for push in stack.apns.pushes if push.payload["aps"]["content-state"]["minutes"] == 2]
    assert Counter(last) == Counter(phones.values())


def test_a_card_that_moves_while_a_delivery_passes_is_caught_up(stack: Stack) -> None:
    phones = crowd(stack, 4, cards=True)
    activities = Activities(stack.aws.dynamodb, stack.aws.tables["ActivitiesTable"])
    say(stack, update())
    settle(stack)
    [index] = [i for i, phone in enumerate(phones) if shard_of(phone, 64)][:1]
    phone = list(phones)[index]
    tokens(stack).caught_up(Card(ORDER, phone, "c", f"user-{index}", 0, phones[phone], 0, 0))
    stack.apns.clear()

    def moves(params: dict[str, Any], **_: Any) -> None:
        # Push has read the row, and is about to read where it knows of cards.
        if params.get("ExpressionAttributeValues", {}).get(":audience") and row(stack).shards == 1:
            activities.grow(ORDER, 64)
            request = CardRegistration(activity=ORDER, token=phones[phone])
            names = stack.functions["RegisterFunction"].names
            names["registration"].put_card(f"user-{index}", f"device-{index}", "c", request)

    with hook(stack, "provide-client-params.dynamodb.Query", moves):
        say(stack, update(minutes=2))
    settle(stack)

    heard_last = {p.token for p in stack.apns.pushes if p.payload["aps"]["content-state"]["minutes"] == 2}
    assert heard_last == set(phones.values())


def test_growing_is_for_good_and_makes_no_row(stack: Stack) -> None:
    activities = Activities(stack.aws.dynamodb, stack.aws.tables["ActivitiesTable"])
    activities.grow(ORDER, 64)
    assert activities.get(ORDER, now_s=int(time.time())) is None

    say(stack, update())
    writes = row(stack).writes
    activities.grow(ORDER, 64)
    activities.grow(ORDER, 16)
    say(stack, update(minutes=1))
    settle(stack)

    assert row(stack).shards == 64
    assert row(stack).writes > writes
