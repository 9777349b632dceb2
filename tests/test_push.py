"""push, whole: messages in, lock screens out, against moto, the APNs simulator and simulated iPhones."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from lockstep.activities import Activities
from lockstep.apns import Environment
from lockstep.ids import phone_of
from lockstep.row import Row
from lockstep.tokens import Tokens
from onebox.apns.simulator import Fault
from onebox.lambda_runtime import FunctionError
from onebox.lock_screen import CardState, Verdict
from onebox.phone import Phone
from onebox.stack import Stack
from tests.messages import end, sqs, start, update

EVENTS = Path(__file__).parent.parent / "events"
ORDER = "order-42"


def now_ms() -> int:
    return int(time.time() * 1000)


def invoke(stack: Stack, *records: dict[str, Any]) -> list[str]:
    """Let push handle records at once; returns the ids of those that failed."""
    for i, record in enumerate(records):
        record["messageId"] = f"m-{i}"
    answer = stack.invoke_push({"Records": list(records)})
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def say(stack: Stack, *bodies: object, queue: str = "PublishQueue", **record: Any) -> list[str]:
    """Let push handle messages at once."""
    return invoke(stack, *(sqs(body, queue=queue, **{"sent_at_ms": now_ms(), **record}) for body in bodies))


def settle(stack: Stack) -> None:
    """Let phones and queues come to rest, delays over."""
    stack.drain(hasten=True)


def row(stack: Stack, activity: str = ORDER) -> Row:
    found = Activities(stack.aws.dynamodb, stack.aws.tables["ActivitiesTable"]).get(activity, now_s=int(time.time()))
    assert found is not None
    return found


def tokens(stack: Stack) -> Tokens:
    return Tokens(stack.aws.dynamodb, stack.aws.tables["TokensTable"])


def refused(stack: Stack, queue: str = "PublishDeadLetterQueue") -> list[dict[str, str]]:
    return [{"body": message.body, **message.attributes} for message in stack.queues.look(queue)]


def started(stack: Stack, *users: str) -> list[Phone]:
    """Have the order started on the phones of these users, and their update tokens registered."""
    phones = [stack.phones.of(user) for user in users]
    settle(stack)
    say(stack, start(ORDER, *users))
    settle(stack)
    stack.apns.clear()
    return phones


def minutes(phone: Phone) -> object:
    shown = phone.shows(ORDER)
    return None if shown is None else shown.get("minutes")


def pushed(stack: Stack) -> list[tuple[str, int | None]]:
    """List what Apple got: event and status."""
    return [(str(push.payload["aps"]["event"]), push.status) for push in stack.apns.pushes]


@contextmanager
def hook(stack: Stack, event: str, act: Callable[..., None]) -> Iterator[None]:
    """Meet the calls that push makes to AWS, where botocore lets one."""
    names = stack.functions["PushFunction"].names
    clients = [names["dynamodb"], names["sqs"]]
    for client in clients:
        client.meta.events.register(event, act)
    try:
        yield
    finally:
        for client in clients:
            client.meta.events.unregister(event, act)


# --- events/


def event(name: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return parsed


def test_the_events_tell_an_order_from_start_to_end(stack: Stack) -> None:
    ana = stack.phones.of("ana")
    settle(stack)

    shown = []
    for name in ("publish-start", "publish-update", "publish-sns", "publish-eventbridge", "delivery", "publish-end"):
        assert stack.invoke_push(event(name)) == {"batchItemFailures": []}
        settle(stack)
        shown.append(minutes(ana))

    assert shown == [30, 7, 7, 7, 7, 0]
    card = ana.card(ORDER)
    assert card is not None
    assert card.state(time.time()) is CardState.ENDED
    assert {push.status for push in stack.apns.pushes} == {200}


def test_the_refused_event_is_dead_lettered_with_its_reason(stack: Stack) -> None:
    original = event("publish-refused")["Records"][0]["body"]

    assert stack.invoke_push(event("publish-refused")) == {"batchItemFailures": []}

    [letter] = refused(stack)
    assert letter["body"] == original
    assert letter["reason"] == "aps.content-state: is missing; an update needs one"
    assert int(letter["published_at_ms"]) > 0


# --- order and repetition


def test_a_start_that_arrives_after_its_update_starts_with_the_newest_state(stack: Stack) -> None:
    ana = stack.phones.of("ana")
    settle(stack)
    at_ms = now_ms()

    say(stack, update(minutes=7, published_at_ms=at_ms))
    say(stack, start(ORDER, "ana", published_at_ms=at_ms - 1000))
    settle(stack)

    assert minutes(ana) == 7
    assert len(ana.starts(ORDER)) == 1


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_of_two_publishes_in_one_millisecond_every_phone_shows_the_same(stack: Stack, order: tuple[int, ...]) -> None:
    [ana, ben] = started(stack, "ana", "ben")
    at_ms = now_ms() + 1
    bodies = [update(minutes=1, published_at_ms=at_ms), update(minutes=2, published_at_ms=at_ms)]

    while now_ms() <= at_ms:
        time.sleep(0.001)
    for i in order:
        say(stack, bodies[i])

    state = row(stack).registers.state
    assert state is not None
    shown = state.value["content-state"]
    assert ana.shows(ORDER) == ben.shows(ORDER) == shown
    digests = {}
    for body in bodies:
        from tests.messages import read

        digests[read(body, at_ms=at_ms).version] = body["aps"]["content-state"]
    assert shown == digests[max(digests)]


def test_an_old_message_never_overwrites_a_newer_state(stack: Stack) -> None:
    [ana] = started(stack, "ana")
    at_ms = now_ms()

    say(stack, update(minutes=7, published_at_ms=at_ms))
    say(stack, update(minutes=20, published_at_ms=at_ms - 1))

    assert minutes(ana) == 7
    assert pushed(stack) == [("update", 200)]


def test_of_a_batch_only_the_newest_state_goes_out(stack: Stack) -> None:
    [ana] = started(stack, "ana")
    at_ms = now_ms()

    failed = say(stack, *(update(minutes=i, published_at_ms=at_ms - i) for i in (3, 1, 2, 5, 4)))

    assert failed == []
    assert minutes(ana) == 1
    assert pushed(stack) == [("update", 200)]


def test_a_redelivered_message_does_nothing_twice(stack: Stack) -> None:
    ana = stack.phones.of("ana")
    settle(stack)
    body, sent_at_ms = start(ORDER, "ana"), now_ms()

    for _ in range(3):
        say(stack, body, sent_at_ms=sent_at_ms)
    settle(stack)

    assert pushed(stack) == [("start", 200)]
    assert len(ana.starts(ORDER)) == 1


def test_a_start_published_again_makes_no_second_card(stack: Stack) -> None:
    [ana] = started(stack, "ana")

    say(stack, start(ORDER, "ana"))
    settle(stack)

    assert len(ana.starts(ORDER)) == 1
    assert ("start", 200) not in pushed(stack)


def test_a_new_run_ends_the_old_card_and_starts_a_new_one(stack: Stack) -> None:
    [ana] = started(stack, "ana")
    first = row(stack).run

    say(stack, end(), start(ORDER, "ana"), sent_at_ms=None or now_ms())
    settle(stack)
    at_ms = now_ms()
    say(stack, end(published_at_ms=at_ms - 2))
    say(stack, start(ORDER, "ana", published_at_ms=at_ms))
    settle(stack)

    assert row(stack).run > first
    card = ana.card(ORDER)
    assert card is not None
    assert card.run == row(stack).run
    assert card.state(time.time()) is CardState.ACTIVE
    assert sum(one.is_running(time.time()) for one in ana.cards) == 1


def test_an_end_ends_every_card_and_a_late_update_is_superseded(stack: Stack) -> None:
    phones = started(stack, "ana", "ben")

    say(stack, end(aps={"content-state": {"done": True}}))
    say(stack, update(minutes=1))
    settle(stack)

    assert [phone.shows(ORDER) for phone in phones] == [{"done": True}] * 2
    assert pushed(stack) == [("end", 200)] * 2


# --- catch-ups


def test_a_card_that_the_app_made_itself_is_brought_up_to_date_when_it_registers(stack: Stack) -> None:
    say(stack, update(minutes=7, aps={"alert": {"title": "Nearly there"}}))
    ana = stack.phones.of("ana")
    settle(stack)

    ana.start_card(ORDER, content_state={"minutes": 99})
    settle(stack)

    assert minutes(ana) == 7
    assert not ana.history[-1].rang, "a catch-up never rings"


def test_a_phone_that_registers_late_is_started(stack: Stack) -> None:
    say(stack, start(ORDER, "ana"))
    say(stack, update(minutes=7))

    ana = stack.phones.of("ana")
    settle(stack)

    assert minutes(ana) == 7
    assert len(ana.starts(ORDER)) == 1


def test_a_card_that_registers_after_the_end_is_ended_with_a_dismissal_date(stack: Stack) -> None:
    ana = stack.phones.of("ana")
    settle(stack)
    say(stack, update(minutes=7), end())

    ana.start_card(ORDER, content_state={"minutes": 99})
    settle(stack)

    card = ana.card(ORDER)
    assert card is not None
    assert card.state(time.time()) is CardState.ENDED
    assert card.dismissal_date_s == pytest.approx(time.time() + 4 * 3600, abs=30)


def test_a_card_whose_start_carried_the_state_is_not_pushed_again_when_it_registers(stack: Stack) -> None:
    stack.phones.of("ana")
    settle(stack)

    say(stack, start(ORDER, "ana"))
    settle(stack)

    assert pushed(stack) == [("start", 200)]


def test_a_token_that_changes_midway_is_used_from_then_on(stack: Stack) -> None:
    [ana] = started(stack, "ana")
    ana.rotate(ORDER)
    settle(stack)

    say(stack, update(minutes=3))

    assert minutes(ana) == 3
    assert {push.status for push in stack.apns.pushes} == {200}


# --- what Apple answers


def test_a_dead_token_is_forgotten_and_never_pushed_again(stack: Stack) -> None:
    [ana, ben] = started(stack, "ana", "ben")
    ben.uninstall()

    say(stack, update(minutes=3))
    say(stack, update(minutes=2))

    assert minutes(ana) == 2
    assert sorted(pushed(stack)) == [("update", 200), ("update", 200), ("update", 410)]


def test_a_token_registered_after_apples_410_is_not_forgotten(stack: Stack) -> None:
    [ana] = started(stack, "ana")
    card = ana.card(ORDER)
    assert card is not None
    assert card.token is not None
    long_ago_ms = now_ms() - 3_600_000
    stack.apns.faults.add(Fault("answer", status=410, reason="Unregistered", timestamp_ms=long_ago_ms))

    say(stack, update(minutes=3))
    say(stack, update(minutes=2))

    assert minutes(ana) == 2


@pytest.mark.parametrize(
    ("status", "reason"),
    [(429, "TooManyRequests"), (500, "InternalServerError"), (503, "ServiceUnavailable"), (599, "SomethingNew")],
)
def test_a_retry_shows_the_state_of_now_not_of_then(stack: Stack, status: int, reason: str) -> None:
    [ana] = started(stack, "ana")
    stack.apns.faults.add(Fault("answer", count=2, status=status, reason=reason))

    say(stack, update(minutes=3))
    say(stack, update(minutes=2))
    settle(stack)

    assert minutes(ana) == 2
    assert all(push.payload["aps"]["content-state"]["minutes"] == 2 for push in stack.apns.pushes[1:])
    assert {sighting.verdict for sighting in ana.history} == {Verdict.APPLIED}


@pytest.mark.parametrize(
    "fault",
    [
        Fault("answer", count=2, status=503, reason="ServiceUnavailable"),
        Fault("refused_stream", count=2),
        Fault("goaway", last_stream="below"),
        Fault("reset", taken=True),
        Fault("lost_answer"),
        Fault("rst_stream", taken=True),
    ],
    ids=lambda fault: fault.kind,
)
def test_whatever_happens_to_a_start_it_makes_one_card(stack: Stack, fault: Fault) -> None:
    """What may have been taken is not sent again; where it was not, the phone's own report mends the miss."""
    phones = [stack.phones.of(user, self_start=True) for user in ("ana", "ben", "cleo")]
    settle(stack)
    stack.functions["PushFunction"].names["sender"].close()
    stack.apns.faults.add(fault)

    say(stack, start(ORDER, "ana", "ben", "cleo"))
    settle(stack)
    say(stack, start(ORDER, "ana", "ben", "cleo"))
    settle(stack)
    by_push = [len(phone.starts(ORDER)) for phone in phones]
    for phone in phones:
        phone.launch()
    settle(stack)

    assert max(by_push) == 1
    assert [minutes(phone) for phone in phones] == [30, 30, 30]
    assert [len(phone.cards) for phone in phones] == [1, 1, 1]
    if not (fault.taken or fault.kind == "lost_answer"):
        assert by_push == [1, 1, 1], "nothing that Apple provably did not take is left unsent"


def test_a_start_token_that_died_does_not_block_the_next_one(stack: Stack) -> None:
    ana = stack.phones.of("ana")
    settle(stack)
    [token] = ana.ios.start_tokens.values()
    stack.apns.kill_token(token)
    say(stack, start(ORDER, "ana"))
    settle(stack)
    assert minutes(ana) is None

    ana.rotate_start_token()
    settle(stack)

    assert minutes(ana) == 30
    assert len(ana.starts(ORDER)) == 1


def test_a_phone_that_did_not_say_its_environment_is_found_in_the_other_one(stack: Stack) -> None:
    """The stack's own environment is production; the token is of the sandbox."""
    phone, token = phone_of("a-device"), stack.apns.issue_token(Environment.SANDBOX)
    register_card(stack, "a-device", token)

    say(stack, update(minutes=3))
    say(stack, update(minutes=2))

    assert [(push.environment, push.status) for push in stack.apns.pushes] == [
        (Environment.PRODUCTION, 400),
        (Environment.SANDBOX, 200),
        (Environment.SANDBOX, 200),
    ]
    assert tokens(stack).phones([phone])[phone].environment is Environment.SANDBOX


def test_a_token_that_is_bad_in_both_environments_is_forgotten(stack: Stack) -> None:
    register_card(stack, "a-device", "ab" * 40)

    say(stack, update(minutes=3))
    say(stack, update(minutes=2))

    assert pushed(stack) == [("update", 400)] * 2


def register_card(stack: Stack, device: str, token: str, user: str = "ana") -> None:
    """Register a card over HTTPS as an app would, its environment unsaid."""
    from urllib.request import Request, urlopen

    request = Request(  # noqa: S310  # our own API
        f"{stack.api.url}/v1/devices/{device}/cards/card-1",
        json.dumps({"activity": ORDER, "token": token}).encode(),
        {"Authorization": f"Bearer {stack.identity.token(user)}", "Content-Type": "application/json"},
        method="PUT",
    )
    with urlopen(request, timeout=10) as answer:  # noqa: S310  # the same
        assert answer.status == 204
    settle(stack)


# --- bad input and failures


def test_a_refused_message_does_not_hold_back_its_neighbours(stack: Stack) -> None:
    [ana] = started(stack, "ana")

    failed = say(stack, "{", update(minutes=3), {"activity": "order/42", "aps": {}}, update("order-43"))

    assert failed == []
    assert minutes(ana) == 3
    assert sorted(letter["reason"].partition(":")[0] for letter in refused(stack)) == ["activity", "body"]


def test_a_delivery_that_is_none_is_put_aside_too(stack: Stack) -> None:
    assert say(stack, "what?", queue="DeliveryQueue") == []

    [letter] = refused(stack, "DeliveryDeadLetterQueue")
    assert "JSON" in letter["reason"]


def throttle(**_: Any) -> None:
    from botocore.exceptions import ClientError

    raise ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "UpdateItem")


@pytest.mark.parametrize(("receive_count", "comes_back"), [(1, True), (3, True), (4, False)])
def test_what_fails_comes_back_soon_and_is_put_aside_at_its_fourth_receive(
    stack: Stack, receive_count: int, comes_back: bool
) -> None:
    with hook(stack, "before-call.dynamodb.UpdateItem", throttle):
        failed = say(stack, update(), receive_count=receive_count)

    assert failed == (["m-0"] if comes_back else [])
    reasons = [letter["reason"] for letter in refused(stack)]
    assert [("failed 4 times" in reason, "Throughput" in reason) for reason in reasons] == [(True, True)] * (
        not comes_back
    )


def test_a_failing_message_is_visible_again_in_seconds_not_after_the_timeout(stack: Stack) -> None:
    changed: list[int] = []
    stack.publish(update())

    with (
        hook(stack, "before-call.dynamodb.UpdateItem", throttle),
        hook(
            stack,
            "provide-client-params.sqs.ChangeMessageVisibility",
            lambda params, **_: changed.append(params["VisibilityTimeout"]),
        ),
    ):
        stack._sources.poll_all()

    assert changed == [5]


def test_what_was_committed_but_not_delivered_goes_out_with_the_redelivery(stack: Stack) -> None:
    [ana] = started(stack, "ana")
    body, sent_at_ms = update(minutes=3), now_ms()

    with hook(stack, "before-call.dynamodb.Query", throttle):
        assert say(stack, body, sent_at_ms=sent_at_ms) == ["m-0"]
    assert minutes(ana) == 30
    assert say(stack, body, sent_at_ms=sent_at_ms) == []

    assert minutes(ana) == 3


class Crash(BaseException):
    """The function dies; nothing catches that."""


@pytest.mark.parametrize("moment", ["before-call", "after-call"])
def test_wherever_push_dies_a_redelivery_makes_it_good(stack: Stack, moment: str) -> None:
    """Start, update and end of one order, each dying at its n-th call to AWS, for every n."""
    n, crashed = 0, True
    while crashed:
        crashed = False
        activity, user = f"{ORDER}-{moment}-{n}", f"user-{n}"
        phone = stack.phones.of(user)
        settle(stack)
        for body in (start(activity, user), update(activity, 7), end(activity, aps={"content-state": {"minutes": 0}})):
            crashed |= dies_at(stack, moment, n, body)
            stack.drain(hasten=True)
            assert len(phone.starts(activity)) <= 1
        if phone.starts(activity):
            # Where the crash fell between marker and push, the start counts as sent, and the phone's report mends it.
            assert phone.shows(activity) == {"minutes": 0}
        n += 1
    assert n > 5


def dies_at(stack: Stack, moment: str, n: int, body: dict[str, Any]) -> bool:
    """Let push die at its n-th call (of any kind), then redeliver as SQS does; say whether it got that far."""
    calls = 0

    def count(**_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == n + 1:
            raise Crash

    record = sqs(body, queue="PublishQueue", sent_at_ms=now_ms())
    with hook(stack, moment, count):
        with suppress(Crash):
            invoke(stack, record)
    if calls <= n:
        return False
    # The lease of the dead is over by the time that SQS delivers again.
    stack.aws.dynamodb.delete_item(
        TableName=stack.aws.tables["ActivitiesTable"],
        Key={"activity": {"S": f"lease#{body['activity']}"}, "part": {"S": "starts"}},
    )
    assert invoke(stack, record) == []
    return True


# --- the signing key


def put_secret(stack: Stack, text: str) -> None:
    [arn] = stack.aws.secret_arns.values()
    stack.aws.secrets.put_secret_value(SecretId=arn, SecretString=text)


@pytest.mark.parametrize(
    "secret", ["", "{}", "not json", '{"team_id": "TEAM123456", "key_id": "KEY1234567", "private_key": "x"}']
)
def test_messages_stay_while_the_key_is_unusable(stack: Stack, secret: str) -> None:
    [ana] = started(stack, "ana")
    push, sent_at_ms = stack.container("PushFunction"), now_ms()

    put_secret(stack, secret or " ")
    try:
        answer = push.invoke({"Records": [sqs(update(minutes=3), queue="PublishQueue", sent_at_ms=sent_at_ms)]})
    finally:
        put_secret(stack, stack.signing_key.secret())

    assert answer == {"batchItemFailures": []}
    assert stack.queues.count("PublishQueue") == 1, "as a copy, delayed"
    assert any("signing key" in line for line in push.log.lines)
    assert any("SigningKeyUnusable" in line for line in push.log.lines)
    settle(stack)
    assert minutes(ana) == 3
    state = row(stack).registers.state
    assert state is not None
    assert state.version.published_at_ms == sent_at_ms, "the copy kept its place in time"


def test_messages_stay_while_apple_refuses_the_key(stack: Stack) -> None:
    [ana] = started(stack, "ana")
    stack.apns.faults.add(Fault("answer", count=None, status=403, reason="InvalidProviderToken"))

    assert say(stack, update(minutes=3)) == []

    assert stack.queues.count("PublishQueue") == 1
    assert not refused(stack)
    stack.apns.faults.clear()
    settle(stack)
    assert minutes(ana) == 3


def test_a_message_that_waited_8_hours_for_a_key_is_put_aside(stack: Stack) -> None:
    started(stack, "ana")
    say(stack, update())
    stack.apns.faults.add(Fault("answer", count=None, status=403, reason="InvalidProviderToken"))
    eight_hours_ago_ms = now_ms() - 8 * 3600 * 1000 - 1000

    say(stack, update(), attributes={"published_at_ms": str(eight_hours_ago_ms)})
    say(
        stack,
        {"v": 1, "activity": ORDER, "audience": "cards"},
        queue="DeliveryQueue",
        attributes={"published_at_ms": str(eight_hours_ago_ms)},
    )

    assert "8 hours" in refused(stack)[0]["reason"]
    assert "InvalidProviderToken" in refused(stack, "DeliveryDeadLetterQueue")[0]["reason"]


# --- who may


def test_a_stranger_who_registered_before_there_was_a_row_is_never_pushed(stack: Stack) -> None:
    token = stack.apns.issue_token(Environment.PRODUCTION)
    register_card(stack, "a-device", token, user="stranger")

    say(stack, start(ORDER, "ana"))
    say(stack, update(minutes=3))
    settle(stack)

    assert not stack.apns.pushes


def test_nothing_of_the_former_users_reaches_a_phone_that_changed_hands(stack: Stack) -> None:
    [phone] = started(stack, "ana")
    phone.change_user("ben")
    stack.phones.wait()
    stack.apns.clear()

    say(stack, update(minutes=3))

    assert not stack.apns.pushes


# --- many phones


def test_one_publish_reaches_a_hundred_and_fifty_phones_in_two_environments(stack: Stack) -> None:
    from lockstep.phones import Card
    from lockstep.phones import Phone as PhoneItem

    table, at_ms = tokens(stack), now_ms()
    for i in range(150):
        environment = Environment.SANDBOX if i % 10 == 0 else Environment.PRODUCTION
        phone, token = phone_of(f"device-{i}"), stack.apns.issue_token(environment)
        assert table.replace_phone(None, PhoneItem(phone, "ana", environment=environment), now_s=at_ms // 1000)
        assert table.put_card(Card(ORDER, phone, "c", "ana", 0, token, at_ms, at_ms), now_s=at_ms // 1000)

    say(stack, update(minutes=3))

    assert pushed(stack) == [("update", 200)] * 150
    assert len({push.token for push in stack.apns.pushes}) == 150
    assert row(stack).sent_revision == row(stack).revision


# --- settings, logs, metrics


def test_a_missing_variable_stops_the_function_at_start_with_its_name(stack: Stack) -> None:
    from lockstep.errors import Misconfigured

    with pytest.raises(Misconfigured, match="BUNDLE_ID"):
        stack.container("PushFunction", BUNDLE_ID=None).load()


def test_logs_and_metrics_tell_the_story_and_nothing_secret(stack: Stack) -> None:
    [_, ben] = started(stack, "ana", "ben")
    card = ben.card(ORDER)
    assert card is not None
    ben.uninstall()
    say(stack, update(minutes=3, aps={"content-state": {"driver": "Zaphod", "minutes": 3}}))
    say(stack, update(minutes=3, published_at_ms=1_000_000_000_000))
    settle(stack)
    lines = stack.functions["PushFunction"].log.lines
    logged = [json.loads(line) for line in lines]

    published = [line for line in logged if line.get("message") == "published"]
    assert {"activity", "outcome", "correlation_id", "event", "published_at_ms"} <= published[-1].keys()
    assert [line["reason"] for line in logged if line.get("outcome") == "rejected"] == ["Unregistered"]
    metrics: dict[str, list[float]] = {}
    for line in logged:
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", []):
            assert directive["Namespace"] == "Lockstep"
            for metric in directive["Metrics"]:
                value = line[metric["Name"]]
                metrics.setdefault(metric["Name"], []).extend(value if isinstance(value, list) else [value])
    sums = {name: sum(values) for name, values in metrics.items()}
    assert sums["Published"] == 2
    assert sums["Refused"] == 1
    assert (sums["Sent"], sums["Accepted"], sums["Rejected"], sums["Forgotten"]) == (4, 3, 1, 1)
    assert all(0 <= value < 60_000 for value in metrics["PublishToAcceptance"])
    secrets = [
        "Zaphod",
        "Pizzeria",
        "PRIVATE KEY",
        "bearer",
        *(push.token for push in stack.apns.pushes),
        *(push.headers["authorization"].split()[1] for push in stack.apns.pushes),
    ]
    for secret in secrets:
        assert not any(secret in line for line in lines), secret


def test_an_exception_of_our_own_fails_the_invocation_and_says_where(stack: Stack) -> None:
    with pytest.raises(FunctionError, match="KeyError"):
        stack.invoke_push({"Records": [{"messageId": "m-0"}]})
