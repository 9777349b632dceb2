"""Broadcast channels: made when phones need them, one push for all who are on one, and each phone reached once."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from lockstep.apns import Environment
from lockstep.channel_items import ChannelItems
from lockstep.delivery import SUBSCRIBING_MS, Delivery, read_body
from onebox.apns.received import ReceivedPush
from onebox.apns.simulator import Fault
from onebox.lock_screen import CardState
from onebox.phone import Phone
from onebox.stack import Stack
from tests.messages import end, sqs, start, update
from tests.pushing import ORDER, hook, minutes, refused, row, say, settle

TEAM = "team-42"
PRODUCTION, SANDBOX = Environment.PRODUCTION, Environment.SANDBOX


def follower(stack: Stack, user: str, **settings: Any) -> Phone:
    return stack.phones.of(user, follows=[TEAM], **settings)


def to_team(storage: str = "frequent", **more: Any) -> dict[str, Any]:
    return {**start(ORDER, **more), "to": {"audience": TEAM}, "channel": storage}


def mixed(stack: Stack) -> dict[str, Phone]:
    """Have phones of every kind follow the team."""
    phones = {
        "new": follower(stack, "new"),
        "newest": follower(stack, "newest", os_version="26.1"),
        "old": follower(stack, "old", os_version="17.5"),
        "of the sandbox": follower(stack, "of the sandbox", environment=SANDBOX),
    }
    settle(stack)
    return phones


def broadcasts(stack: Stack, event: str | None = None) -> list[ReceivedPush]:
    found = [push for push in stack.apns.pushes if push.channel is not None]
    return [push for push in found if event in (None, push.payload["aps"]["event"])]


def channels(stack: Stack, environment: Environment = PRODUCTION) -> list[str]:
    return [one.id for one in stack.apns.channels.every(environment)]


def operations(stack: Stack) -> Counter[tuple[str, str, int | None]]:
    return Counter((one.operation, str(one.environment), one.status) for one in stack.apns.managed)


def applied(phone: Phone, event: str) -> int:
    """Count how often a phone was brought something by push."""
    return sum((one.by, one.event, one.verdict) == ("push", event, "applied") for one in phone.history)


def made_channels(stack: Stack, environment: Environment = PRODUCTION) -> list[str]:
    items = ChannelItems(stack.aws.dynamodb, stack.aws.tables["ActivitiesTable"])
    return [one.id for one in items.made(environment)]


def again(stack: Stack) -> list[Delivery]:
    """List what is queued to be said once more, delays over."""
    stack.aws.hasten_messages()
    found = [read_body(message.body) for message in stack.queues.look("DeliveryQueue")]
    return [one for one in found if isinstance(one, Delivery) and one.is_said_again]


def ask(stack: Stack, activity: str = ORDER, environment: str = "production", user: str = "ana") -> tuple[int, Any]:
    connection = HTTPConnection(urlsplit(stack.api.url).netloc, timeout=10)
    try:
        path = f"/v1/activities/{activity}/channel?environment={environment}"
        connection.request("GET", path, headers={"Authorization": f"Bearer {stack.identity.token(user)}"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.fixture(autouse=True)
def nothing_is_dead_lettered(stack: Stack) -> Iterator[None]:
    yield
    assert not [
        letter for queue in ("Publish", "Delivery", "Slice") for letter in refused(stack, f"{queue}DeadLetterQueue")
    ]


# --- who gets what


def test_phones_of_ios_18_are_started_on_the_channel_of_their_environment_and_others_with_a_token(stack: Stack) -> None:
    phones = mixed(stack)

    say(stack, to_team())
    settle(stack)

    [production], [sandbox] = channels(stack), channels(stack, SANDBOX)
    on = {name: card.channel if (card := phone.card(ORDER)) else "no card" for name, phone in phones.items()}
    assert on == {"new": production, "newest": production, "old": None, "of the sandbox": sandbox}
    assert {phone.name: len(phone.starts(ORDER)) for phone in phones.values()} == dict.fromkeys(phones, 1)
    bodies = [push.payload["aps"] for push in stack.apns.pushes if push.channel is None]
    assert all(("input-push-token" in aps) != ("input-push-channel" in aps) for aps in bodies)
    assert {one.storage_policy for one in stack.apns.channels.every(PRODUCTION)} == {0}


def test_an_update_is_one_broadcast_an_environment_and_the_tokens_of_the_rest(stack: Stack) -> None:
    phones = mixed(stack)
    say(stack, to_team())
    settle(stack)
    before = {name: applied(phone, "update") for name, phone in phones.items()}
    stack.apns.clear()

    say(stack, update(minutes=3))

    assert sorted(push.environment for push in broadcasts(stack)) == [PRODUCTION, SANDBOX]
    assert len([push for push in stack.apns.pushes if push.channel is None]) == 1
    assert {minutes(phone) for phone in phones.values()} == {3}
    assert {name: applied(phone, "update") - before[name] for name, phone in phones.items()} == dict.fromkeys(phones, 1)
    assert {push.headers["apns-expiration"] for push in broadcasts(stack)} == {"0"}
    assert {push.headers["apns-priority"] for push in broadcasts(stack)} == {"10"}


def test_the_end_goes_out_the_same_way(stack: Stack) -> None:
    phones = mixed(stack)
    say(stack, to_team())
    settle(stack)

    say(stack, end(aps={"content-state": {"driver": "Ana", "minutes": 0}}))
    settle(stack)

    for phone in phones.values():
        card = phone.card(ORDER)
        assert card is not None
        assert (card.state(time.time()), minutes(phone)) == (CardState.ENDED, 0)
        assert applied(phone, "end") == 1
    assert len(broadcasts(stack, "end")) == 2
    assert ask(stack)[0] == 404


def test_what_is_stored_reaches_a_phone_that_was_away(stack: Stack) -> None:
    phone = follower(stack, "ana")
    settle(stack)
    say(stack, to_team("latest"))
    settle(stack)
    phone.go_offline()

    say(stack, update(minutes=5))
    say(stack, update(minutes=4))
    phone.go_online()

    assert minutes(phone) == 4
    now_s = time.time()
    for push in broadcasts(stack):
        assert now_s < int(push.headers["apns-expiration"]) <= now_s + 8 * 3600


def test_an_alert_rings_once_on_a_channel(stack: Stack) -> None:
    phone = follower(stack, "ana")
    settle(stack)
    say(stack, to_team())
    settle(stack)

    say(stack, update(minutes=5, aps={"alert": {"title": "Goal"}}))
    say(stack, update(minutes=4))
    settle(stack)

    assert [one.rang for one in phone.history if one.event == "update" and one.content_state["minutes"] == 5] == [True]
    assert sum(one.rang for one in phone.history if one.event == "update") == 1


def test_what_is_said_of_a_start_rings_for_nobody_since_the_start_itself_has_rung(stack: Stack) -> None:
    phone = follower(stack, "ana")
    settle(stack)

    say(stack, to_team("latest"))
    settle(stack)

    [kept] = broadcasts(stack)
    assert (kept.payload["aps"]["content-state"]["minutes"], "alert" in kept.payload["aps"]) == (30, False)
    assert [one.event for one in phone.history if one.rang] == ["start"]
    say(stack, to_team("latest", aps={"content-state": {"driver": "Ana", "minutes": 5}}))
    settle(stack)
    assert "alert" in broadcasts(stack)[-1].payload["aps"], "a start that is repeated rings where cards are"


def test_a_start_without_phones_opens_a_channel_in_both_environments_for_apps_to_ask_for(stack: Stack) -> None:
    say(stack, {**start(ORDER), "channel": "latest"})

    assert (len(channels(stack)), len(channels(stack, SANDBOX))) == (1, 1)
    assert ask(stack) == (200, {"channel": channels(stack)[0]})
    assert ask(stack, environment="sandbox") == (200, {"channel": channels(stack, SANDBOX)[0]})
    assert ask(stack, "order-43")[0] == 404
    assert ask(stack, environment="development")[0] == 422
    assert not [push for push in stack.apns.pushes if push.payload["aps"]["event"] == "start"]


def test_an_app_that_starts_its_card_itself_subscribes_it_to_the_channel_of_the_answer(stack: Stack) -> None:
    early = follower(stack, "early")
    settle(stack)
    say(stack, to_team("latest"))
    settle(stack)

    late = follower(stack, "late", self_start=True)
    settle(stack)

    card = late.card(ORDER)
    assert card is not None
    assert card.channel == channels(stack)[0]
    assert not late.starts(ORDER), "the app was quicker, and one card is enough"
    stack.apns.clear()
    say(stack, update(minutes=3))
    assert (minutes(early), minutes(late)) == (3, 3)
    assert len(stack.apns.pushes) == 1


def test_a_channel_without_phones_in_an_environment_is_not_made(stack: Stack) -> None:
    follower(stack, "old", os_version="17.5")
    follower(stack, "new", environment=SANDBOX)
    settle(stack)

    say(stack, to_team())

    assert (channels(stack), len(channels(stack, SANDBOX))) == ([], 1)


def test_a_late_phone_of_another_environment_gets_its_channel_too(stack: Stack) -> None:
    follower(stack, "early")
    settle(stack)
    say(stack, to_team())
    settle(stack)

    late = follower(stack, "late", environment=SANDBOX)
    settle(stack)

    card = late.card(ORDER)
    assert card is not None
    assert card.channel == channels(stack, SANDBOX)[0]


# --- making one


def test_a_channel_is_noted_before_it_is_used(stack: Stack) -> None:
    follower(stack, "ana")
    settle(stack)
    noted: list[list[str]] = []

    def look(params: dict[str, Any], **_: Any) -> None:
        if ":channels" in params.get("ExpressionAttributeValues", {}):
            noted.append(made_channels(stack))

    with hook(stack, "provide-client-params.dynamodb.UpdateItem", look):
        say(stack, to_team())

    assert noted[0] == channels(stack)


def test_two_starts_at_once_leave_one_channel(stack: Stack) -> None:
    follower(stack, "ana")
    settle(stack)
    other = stack.container("PushFunction")
    once: list[None] = []

    def meanwhile(params: dict[str, Any], **_: Any) -> None:
        if not once and ":made_for" in params.get("ExpressionAttributeValues", {}):
            once.append(None)
            body = {**to_team(), "published_at_ms": int(time.time() * 1000)}
            other.invoke({"Records": [sqs(body, queue="PublishQueue", sent_at_ms=int(time.time() * 1000))]})

    with hook(stack, "provide-client-params.dynamodb.UpdateItem", meanwhile):
        say(stack, to_team())
    settle(stack)

    assert once
    assert operations(stack)["create", "production", 201] == 2
    [left] = channels(stack)
    assert left == made_channels(stack)[0]
    assert [one.id for one in row(stack).channels] == [left]


@pytest.mark.parametrize(
    ("status", "reason"),
    [(400, "CannotCreateChannelConfig"), (400, "FeatureNotEnabled"), (500, "InternalServerError")],
)
def test_where_apple_gives_no_channel_phones_are_served_by_their_tokens(stack: Stack, status: int, reason: str) -> None:
    phone = follower(stack, "ana")
    settle(stack)
    stack.apns.faults.add(Fault("answer", on="channels", status=status, reason=reason))

    say(stack, to_team())
    settle(stack)
    say(stack, update(minutes=3))
    settle(stack)

    card = phone.card(ORDER)
    assert card is not None
    assert (card.channel, minutes(phone), len(phone.starts(ORDER))) == (None, 3, 1)
    assert not broadcasts(stack)


def test_an_answer_that_is_lost_costs_the_channel_and_nothing_else(stack: Stack) -> None:
    phone = follower(stack, "ana")
    settle(stack)
    stack.apns.faults.add(Fault("reset", on="channels", taken=True))

    say(stack, to_team())
    settle(stack)
    say(stack, update(minutes=3))

    assert minutes(phone) == 3
    assert len(phone.starts(ORDER)) == 1


# --- speaking on one


@pytest.mark.parametrize("fault", ["429 TooManyRequests", "503 Service Unavailable", "500 InternalServerError"])
def test_a_broadcast_that_apple_does_not_take_is_said_again(stack: Stack, fault: str) -> None:
    phone = follower(stack, "ana")
    settle(stack)
    say(stack, to_team())
    settle(stack)
    status, _, reason = fault.partition(" ")
    stack.apns.faults.add(Fault("answer", on="broadcast", status=int(status), reason=reason))
    stack.apns.clear()

    say(stack, update(minutes=3))
    assert minutes(phone) == 30
    settle(stack)

    assert minutes(phone) == 3
    assert [push.status for push in broadcasts(stack)] == [int(status), 200]


@pytest.mark.parametrize("kind", ["reset", "goaway", "refused_stream", "rst_stream", "lost_answer"])
def test_a_broadcast_survives_the_road(stack: Stack, kind: Any) -> None:
    phone = follower(stack, "ana")
    settle(stack)
    say(stack, to_team())
    settle(stack)
    stack.apns.faults.add(Fault(kind, on="broadcast"))

    say(stack, update(minutes=3))
    settle(stack)

    assert minutes(phone) == 3


def test_a_stale_provider_token_is_replaced(stack: Stack) -> None:
    phone = follower(stack, "ana")
    settle(stack)
    say(stack, to_team())
    settle(stack)
    stack.apns.faults.add(Fault("answer", on="broadcast", status=403, reason="ExpiredProviderToken"))

    say(stack, update(minutes=3))

    assert minutes(phone) == 3


def test_a_channel_that_apple_does_not_know_is_given_up_and_the_next_start_makes_another(stack: Stack) -> None:
    phone = follower(stack, "ana")
    settle(stack)
    say(stack, to_team())
    settle(stack)
    [gone] = channels(stack)
    stack.apns.channels.delete(PRODUCTION, gone)

    say(stack, update(minutes=3))
    settle(stack)
    assert not row(stack).channels
    late = follower(stack, "late")
    settle(stack)

    card = late.card(ORDER)
    assert card is not None
    assert card.channel == channels(stack)[0] != gone
    # Existing activities can't be moved; the phone's own report mends it.
    phone.launch()
    settle(stack)
    assert minutes(phone) == 3


def test_a_new_run_ends_the_cards_of_the_earlier_one_on_their_channel_and_has_a_channel_of_its_own(
    stack: Stack,
) -> None:
    phone = follower(stack, "ana")
    settle(stack)
    say(stack, to_team())
    settle(stack)
    [before] = channels(stack)
    phone.go_offline()
    say(stack, end())
    settle(stack)
    phone.go_online()
    stack.apns.clear()

    say(stack, to_team())
    settle(stack)

    first, second = (push for push in stack.apns.pushes if push.channel is None or push.channel == before)
    assert (first.channel, first.payload["aps"]["event"]) == (before, "end")
    assert second.payload["aps"]["event"] == "start"
    [old, new] = phone.cards
    assert (old.is_running(time.time()), new.is_running(time.time())) == (False, True)
    assert old.dismissal_date_s == old.timestamp_s, "at once"
    assert [one.id for one in row(stack).channels] == [new.channel]
    assert new.channel != before


# --- what keeps nothing is said again


def test_after_a_start_the_state_is_said_again_for_those_who_were_subscribing(stack: Stack) -> None:
    follower(stack, "ana")
    settle(stack)

    say(stack, to_team())

    [one] = again(stack)
    assert one.channels == (PRODUCTION,)
    settle(stack)
    [said] = broadcasts(stack)[-1:]
    aps = said.payload["aps"]
    assert (aps["event"], aps["content-state"]["minutes"], "alert" in aps) == ("update", 30, False)
    assert said.headers["apns-priority"] == "5"


def test_what_was_said_since_is_not_said_again(stack: Stack) -> None:
    follower(stack, "ana")
    settle(stack)
    say(stack, to_team())
    [one] = again(stack)
    settle(stack)
    stack.apns.clear()

    long_ago = json.loads(one.to_body()) | {"since_ms": int(time.time() * 1000) - SUBSCRIBING_MS - 60_000}
    say(stack, long_ago, queue="DeliveryQueue")

    assert not broadcasts(stack)


def test_what_is_stored_is_not_said_again(stack: Stack) -> None:
    follower(stack, "ana")
    settle(stack)

    say(stack, to_team("latest"))

    assert not again(stack)


def test_phones_on_a_channel_are_not_even_read_for_an_update(stack: Stack) -> None:
    follower(stack, "ana")
    old = follower(stack, "old", os_version="17.5")
    settle(stack)
    say(stack, to_team("latest"))
    settle(stack)
    read: list[int] = []

    def look(params: dict[str, Any], **_: Any) -> None:
        read.extend(len(wanted["Keys"]) for name, wanted in params["RequestItems"].items() if "Tokens" in name)

    with hook(stack, "provide-client-params.dynamodb.BatchGetItem", look):
        say(stack, update(minutes=3))

    assert read == [1]
    assert minutes(old) == 3


def test_a_channel_that_one_environment_refuses_is_not_asked_for_with_each_update(stack: Stack) -> None:
    refusal = Fault("answer", None, on="channels", environment=SANDBOX, status=403, reason="BadEnvironmentKeyIdInToken")
    stack.apns.faults.add(refusal)

    say(stack, {**start(ORDER), "channel": "latest"})
    say(stack, update(minutes=3))
    say(stack, update(minutes=2))

    assert operations(stack) == {("create", "production", 201): 1, ("create", "sandbox", 403): 1}
    assert len(broadcasts(stack)) == 3


def test_what_there_is_no_time_to_say_is_said_by_the_next_function(stack: Stack) -> None:
    phone = follower(stack, "ana")
    settle(stack)
    say(stack, to_team("latest"))
    settle(stack)
    stack.apns.clear()
    push = stack.functions["PushFunction"]
    spec = push.spec
    try:
        # The function's whole time is what it keeps in reserve.
        push.spec = replace(spec, timeout_s=9)
        say(stack, update(minutes=3))
        assert not broadcasts(stack)
    finally:
        push.spec = spec
    settle(stack)

    assert minutes(phone) == 3
