"""A batch of messages: each has its own fate, whatever fails around it."""

import json
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lockstep.delivery import Delivery
from lockstep.ids import phone_of
from onebox.apns.simulator import Fault
from onebox.stack import Stack
from tests.messages import end, sqs, start, update
from tests.pushing import ORDER, hook, invoke, minutes, now_ms, pushed, refused, row, say, settle, started


def throttle(**_: Any) -> None:
    raise ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "UpdateItem")


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


def test_a_delivery_that_is_refused_is_logged_and_counted_like_a_publish(stack: Stack) -> None:
    say(stack, {"activity": ORDER, "audience": "everybody"}, queue="SliceQueue")

    lines = [json.loads(line) for line in stack.functions["PushFunction"].log.lines]
    [letter] = refused(stack, "SliceDeadLetterQueue")
    assert letter["reason"] == "audience: must be one of all, cards, starts"
    assert [line["reason"] for line in lines if line.get("message") == "refused"] == [letter["reason"]]
    assert sum(sum(line.get("Refused", [])) for line in lines if "_aws" in line) == 1


def test_an_alert_too_long_for_any_push_does_not_take_its_activity_with_it(stack: Stack) -> None:
    """It would wait in the row for a state, and of 400 KB DynamoDB takes no row: each later publish would fail too."""
    [ana] = started(stack, "ana")
    hostile = {"activity": ORDER, "aps": {"event": "start", "alert": {"body": "x" * 420_000}}}

    assert say(stack, hostile, update(minutes=3)) == []

    assert minutes(ana) == 3
    [letter] = refused(stack)
    assert letter["reason"] == "aps.alert: is longer than the 4096 bytes of a push, by 415925"


@pytest.mark.parametrize("phones", [["zz"], [], ["f0"]], ids=["letters", "none", "a part of a hash"])
def test_a_delivery_to_phones_that_are_none_harms_nobody(stack: Stack, phones: list[str]) -> None:
    """Where an audience is in slices, a phone's hash says in which; no phones are in none."""
    [ana] = started(stack, "ana")
    stack.functions["PushFunction"].names["activities"].grow(ORDER, 64)
    hostile = {"v": 1, "activity": ORDER, "audience": "all", "phones": phones}

    failed = invoke(stack, *(sqs(hostile, queue="DeliveryQueue"), sqs(update(minutes=3), sent_at_ms=now_ms())))

    assert failed == []
    settle(stack)
    assert minutes(ana) == 3
    reasons = [letter["reason"] for letter in refused(stack, "DeliveryDeadLetterQueue")]
    assert reasons == ["phones: must be hashes of phones"] * bool(phones)


def test_a_count_that_nothing_can_hold_is_no_count(stack: Stack) -> None:
    """Of 4,300 digits, one more could not even be written as text: the attempt of a retry."""
    [ana] = started(stack, "ana")
    stack.apns.faults.add(Fault("answer", status=503, reason="ServiceUnavailable", count=None))
    phone, attempt = phone_of(ana.hardware.device), "9" * 4300
    hostile = f'{{"activity": "{ORDER}", "audience": "cards", "phones": ["{phone}"], "attempt": {attempt}}}'

    failed = invoke(stack, *(sqs(hostile, queue="DeliveryQueue"), sqs(update(minutes=3), sent_at_ms=now_ms())))

    assert failed == []
    stack.apns.faults.clear()
    settle(stack)
    assert minutes(ana) == 3
    [letter] = refused(stack, "DeliveryDeadLetterQueue")
    assert letter["reason"] == "attempt: must be a whole number from 0, of 63 bits at most"


@pytest.mark.parametrize("queue", ["Publish", "Delivery", "Slice"])
def test_the_longest_message_that_a_queue_takes_has_room_for_its_reason_beside_it(stack: Stack, queue: str) -> None:
    """With SQS a message's attributes count towards its size; moto looks at the body alone."""
    url = stack.aws.queues[f"{queue}Queue"]
    stack.aws.sqs.send_message(QueueUrl=url, MessageBody="x" * longest(stack, url))
    [record] = stack.take(f"{queue}Queue")["Records"]

    def refuse_what_is_longer(params: dict[str, Any], **_: Any) -> None:
        parts = [params["MessageBody"]]
        for name, value in params["MessageAttributes"].items():
            parts += [name, value["DataType"], value["StringValue"]]
        if sum(len(part.encode()) for part in parts) > longest(stack, params["QueueUrl"]):
            raise ClientError({"Error": {"Code": "InvalidParameterValue"}}, "SendMessage")

    with hook(stack, "provide-client-params.sqs.SendMessage", refuse_what_is_longer):
        assert invoke(stack, dict(record)) == []

    [letter] = refused(stack, f"{queue}DeadLetterQueue")
    assert letter["body"] == record["body"]
    assert "JSON" in letter["reason"]


def longest(stack: Stack, url: str) -> int:
    asked = stack.aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["MaximumMessageSize"])
    return int(asked["Attributes"]["MaximumMessageSize"])


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


@pytest.mark.parametrize(
    ("queue", "body"),
    [
        ("Publish", update()),
        ("Delivery", Delivery(ORDER).to_body()),
        ("Slice", Delivery(ORDER, first="8", last="8").to_body()),
    ],
)
def test_what_keeps_failing_is_put_aside_beside_the_queue_that_it_came_from(
    stack: Stack, queue: str, body: object
) -> None:
    with hook(stack, "before-call.dynamodb", throttle):
        failed = [say(stack, body, queue=f"{queue}Queue", receive_count=count) for count in (3, 4)]

    assert failed == [["m-0"], []]
    letters = {name: refused(stack, f"{name}DeadLetterQueue") for name in ("Publish", "Delivery", "Slice")}
    assert {name: len(found) for name, found in letters.items() if found} == {queue: 1}
    assert "failed 4 times" in letters[queue][0]["reason"]


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


def test_messages_that_ask_for_one_delivery_in_a_batch_have_it_once(stack: Stack) -> None:
    """A function died with an alert, and silent states wait for it to be out: all their messages come at one moment."""
    [ana] = started(stack, "ana")
    with hook(stack, "before-call.dynamodb.Query", throttle):
        say(stack, update(minutes=3))

    assert say(stack, *[Delivery(ORDER).to_body()] * 3, queue="DeliveryQueue") == []

    assert minutes(ana) == 3
    assert pushed(stack) == [("update", 200)]


def test_of_messages_that_ask_for_one_delivery_all_come_back_where_it_fails(stack: Stack) -> None:
    started(stack, "ana")
    with hook(stack, "before-call.dynamodb.Query", throttle):
        say(stack, update(minutes=3))

        failed = say(stack, *[Delivery(ORDER).to_body()] * 3, queue="DeliveryQueue")

    assert failed == ["m-0", "m-1", "m-2"]


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
    stack.apns.faults.add(Fault("answer", count=None, status=403, reason="InvalidProviderToken"))
    say(stack, update())
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


def test_where_rows_cannot_be_read_together_each_message_asks_for_its_own(stack: Stack) -> None:
    asked: list[int] = []

    def refuse_many(model: Any, params: dict[str, Any], **_: Any) -> None:
        keys = next(iter(json.loads(params["body"])["RequestItems"].values()))["Keys"]
        asked.append(len(keys))
        if len(keys) > 1:
            throttle()

    with hook(stack, "before-call.dynamodb.BatchGetItem", refuse_many):
        failed = say(stack, update("order-42", minutes=1), update("order-43", minutes=2))

    assert failed == []
    assert asked[:3] == [2, 1, 1]
    assert [row(stack, activity).registers.state is not None for activity in ("order-42", "order-43")] == [True, True]


def test_phones_that_cannot_be_read_together_are_read_with_the_redelivery(stack: Stack) -> None:
    [ana] = started(stack, "ana")
    left = [1]

    def refuse_phones(params: dict[str, Any], **_: Any) -> None:
        if b"phone#" in params["body"] and left:
            left.pop()
            throttle()

    with hook(stack, "before-call.dynamodb.BatchGetItem", refuse_phones):
        failed = say(stack, update(minutes=5), update("order-43"))
    assert failed == ["m-0"]
    assert minutes(ana) != 5

    assert say(stack, update(minutes=5)) == []
    assert minutes(ana) == 5
