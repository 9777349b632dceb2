"""What a producer in Python uses: what is built, what is refused before it is sent, and what SQS gets."""

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import time_machine
from botocore.config import Config
from botocore.stub import Stubber

from lockstep import publisher, publishes
from lockstep.json_values import canonical
from lockstep.payload import update_body
from lockstep.publish import InvalidInput, NotSent, Publisher, Schemas, check, end, start, update
from lockstep.row import Row
from onebox.stack import Stack
from tests import messages
from tests.producer_side import SCHEMA
from tests.pushing import minutes, refused, say, settle

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

URL = "https://sqs.eu-central-1.example.com/123456789012/PublishQueue"


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def sqs() -> "SQSClient":
    return boto3.client(
        "sqs", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x", config=Config(retries={})
    )


@pytest.fixture
def stub(sqs: "SQSClient") -> Iterator[Stubber]:
    """Answer for SQS, and see that all that was to be asked was."""
    with Stubber(sqs) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture
def send(sqs: "SQSClient", waits: list[float]) -> Callable[[Sequence[dict[str, Any]]], None]:
    return Publisher(sqs, URL, sleep=waits.append).send


def asked(*publishes: dict[str, Any]) -> dict[str, Any]:
    entries = [{"Id": str(i), "MessageBody": canonical(one)} for i, one in enumerate(publishes)]
    return {"QueueUrl": URL, "Entries": entries}


def answer(*ids: str, failed: Sequence[tuple[str, str, bool]] = ()) -> dict[str, Any]:
    return {
        "Successful": [{"Id": one, "MessageId": one, "MD5OfMessageBody": "-"} for one in ids],
        "Failed": [{"Id": one, "Code": code, "SenderFault": ours} for one, code, ours in failed],
    }


# --- building


def test_what_is_built_is_what_the_contract_says() -> None:
    ordered = start(
        "order-42",
        attributes_type="OrderAttributes",
        attributes={"shop": "Pizzeria Uno"},
        content_state={"driver": "Ana", "minutes": 30},
        alert={"title": "On its way", "body": "30 minutes"},
        users=("ana", "ben"),
        published_at_ms=messages.NOW_MS,
    )
    near = update("order-42", {"driver": "Ana", "minutes": 7}, priority=5, stale_date_s=messages.NOW_S + 600)
    over = end("order-42", dismissal_date_s=0, aps={"new-in-ios-30": True})

    assert ordered == {
        "activity": "order-42",
        "to": {"users": ["ana", "ben"]},
        "published_at_ms": messages.NOW_MS,
        "aps": {
            "event": "start",
            "attributes-type": "OrderAttributes",
            "attributes": {"shop": "Pizzeria Uno"},
            "content-state": {"driver": "Ana", "minutes": 30},
            "alert": {"title": "On its way", "body": "30 minutes"},
        },
    }
    assert (near["priority"], near["aps"]) == (
        5,
        {
            "event": "update",
            "content-state": {"driver": "Ana", "minutes": 7},
            "stale-date": messages.NOW_S + 600,
        },
    )
    assert over["aps"] == {"event": "end", "dismissal-date": 0, "new-in-ios-30": True}


def test_every_key_of_the_contract_can_be_said() -> None:
    aps = messages.START_APS
    followed = start("match-7", audience="team-42", guests=["ana"], priority=10, aps=aps)
    broadcast = start("match-8", channel="frequent")

    assert followed.keys() | broadcast.keys() == publishes.KEYS


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: update("order 42", {}), "activity: must be 1 to 128"),
        (lambda: start("order-42", users=["ana"]), "aps.attributes-type: is missing"),
        (lambda: start("order-42", users="ana"), "to.users: must be a list"),
        (lambda: start("order-42", users=["ana"], audience="team-42"), "to: must be"),
        (lambda: update("order-42", {}, stale_date_s=messages.NOW_MS), "aps.stale-date: is in milliseconds"),
        (lambda: update("order-42", {"price": Decimal("9.50")}), "body: is not JSON: Object of type Decimal"),
        (lambda: update("order-42", {"share": float("nan")}), "body: is not JSON: Out of range"),
        (lambda: update("order-42", {"name": "\ud800"}), "body: is not JSON"),
        (
            lambda: update("order-42", {}, published_at_ms=messages.NOW_MS // 1000),
            "published_at_ms: is over 8 hours ago",
        ),
        (
            lambda: update("order-42", {"text": "x" * 4096}),
            "aps: makes the update push 4173 bytes long, 77 more than Apple takes. The biggest part is aps.content-state, 4107",
        ),
    ],
)
def test_what_push_would_refuse_is_refused_where_it_is_built(build: Callable[[], object], words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        build()

    assert str(refused.value).startswith(words)


def test_the_words_are_those_of_the_dead_letter(stack: Stack) -> None:
    wrong = messages.start(messages.START_APS["attributes-type"], "ana", aps={"alert": {}})
    say(stack, wrong)
    [letter] = refused(stack)

    with pytest.raises(InvalidInput) as before:
        check(wrong)

    assert str(before.value) == letter["reason"]


def test_a_stack_may_require_guests(sqs: "SQSClient") -> None:
    check(start("order-42"))

    with pytest.raises(InvalidInput, match="guests"):
        check(start("order-42"), guests_required=True)
    with pytest.raises(InvalidInput, match="guests"):
        Publisher(sqs, URL, guests_required=True).send([start("order-42")])


def test_publishes_of_one_moment_have_the_order_in_which_they_were_built() -> None:
    with time_machine.travel(messages.NOW_S, tick=False):
        built = [update("order-42", {"minutes": n}) for n in (3, 2, 1)]
        other = update("order-43", {"minutes": 3})

    with time_machine.travel(messages.NOW_S - 60, tick=False):
        set_back = update("order-42", {"minutes": 3})

    assert [one["published_at_ms"] for one in built] == [messages.NOW_MS + n for n in range(3)]
    assert other["published_at_ms"] == messages.NOW_MS, "others need not wait"
    assert set_back["published_at_ms"] == messages.NOW_MS - 60_000, "the clock had been wrong"


# --- schemas


@pytest.fixture
def schemas(tmp_path: Path) -> Schemas:
    (tmp_path / "OrderAttributes.json").write_text(json.dumps(SCHEMA))
    return Schemas.from_folder(tmp_path)


def test_what_fits_its_schema_is_taken(schemas: Schemas) -> None:
    check(messages.start("order-42", "ana"), schemas=schemas)
    check(messages.start("order-42", "ana", aps={"attributes-type": "MatchAttributes"}), schemas=schemas)
    check(start("order-42"), schemas=schemas)
    check(update("order-42", {"minutes": 7}, attributes_type="OrderAttributes"), schemas=schemas)
    check(end("order-42", attributes_type="OrderAttributes"), schemas=schemas)
    check(update("order-42", {"hours": 7}), schemas=schemas)


@pytest.mark.parametrize(
    ("publish", "field"),
    [
        (messages.start("order-42", "ana", aps={"attributes": {}}), "aps.attributes"),
        (messages.start("order-42", "ana", aps={"content-state": {"minutes": "7"}}), "aps.content-state.minutes"),
        (update("order-42", {"minutes": 0.5}, attributes_type="OrderAttributes"), "aps.content-state.minutes"),
        (end("order-42", {"hours": 0}, attributes_type="OrderAttributes"), "aps.content-state"),
    ],
)
def test_what_does_not_fit_its_schema_is_refused(
    publish: dict[str, Any], field: str, schemas: Schemas, sqs: "SQSClient"
) -> None:
    check(publish)

    with pytest.raises(InvalidInput) as refused:
        Publisher(sqs, URL, schemas=schemas).send([publish])
    assert refused.value.field.startswith(field)


def test_the_attributes_type_of_an_update_never_reaches_apple() -> None:
    named, unnamed = (
        update("order-42", {"minutes": 7}, attributes_type=kind, published_at_ms=messages.NOW_MS)
        for kind in ("OrderAttributes", None)
    )

    assert [update_body(Row("order-42", messages.read(one).registers), ring=False) for one in (named, unnamed)] == [
        b'{"aps":{"timestamp":0,"event":"update","content-state":{"minutes":7}}}'
    ] * 2


# --- sending


def test_one_may_be_sent_by_itself(stub: Stubber, send: Callable[..., None]) -> None:
    one = update("order-42", {"minutes": 7})
    stub.add_response("send_message_batch", answer("0"), asked(one))

    send(one)


def test_nothing_to_send_asks_nobody(stub: Stubber, send: Callable[..., None]) -> None:
    send([])


def test_ten_go_at_once(stub: Stubber, send: Callable[..., None]) -> None:
    some = [update(f"order-{n}", {"minutes": n}) for n in range(11)]
    stub.add_response("send_message_batch", answer(), asked(*some[:10]))
    stub.add_response("send_message_batch", answer(), asked(some[10]))

    send(some)


def test_no_more_bytes_go_at_once_than_sqs_takes(stub: Stubber, send: Callable[..., None]) -> None:
    users = ["\U0001f355" * 250 + str(n) for n in range(100)]
    long = [start(f"order-{n}", guests=users) for n in range(4)]
    assert 3 * len(json.dumps(long[0])) < publisher.BATCH_MAX_BYTES < 4 * len(json.dumps(long[0]))
    stub.add_response("send_message_batch", answer(), asked(*long[:3]))
    stub.add_response("send_message_batch", answer(), asked(long[3]))

    send(long)


def test_what_sqs_takes_at_once_is_what_its_own_description_says(sqs: "SQSClient") -> None:
    said = sqs.meta.service_model.operation_model("SendMessageBatch").documentation

    assert re.search(rf"up to {publisher.BATCH_MAX} messages", said)
    assert re.search(rf"total payload size .* are both 1 MiB {publisher.BATCH_MAX_BYTES:,} bytes", said)


def test_no_two_of_an_activity_go_at_once(stub: Stubber, send: Callable[..., None]) -> None:
    one, two, three = (update("order-42", {"minutes": n}) for n in (3, 2, 1))
    other, same = (update("order-43", {"minutes": n}) for n in (9, 8))
    for batch in ([one, other], [two, same], [three]):
        stub.add_response("send_message_batch", answer(), asked(*batch))

    send([one, two, other, same, three])


def test_what_sqs_failed_at_is_asked_again_and_nothing_else(
    stub: Stubber, send: Callable[..., None], waits: list[float]
) -> None:
    some = [update(f"order-{n}", {"minutes": n}) for n in range(3)]
    stub.add_response(
        "send_message_batch",
        answer("0", failed=[("1", "InternalError", False), ("2", "InternalError", False)]),
        asked(*some),
    )
    stub.add_response("send_message_batch", answer("0", failed=[("1", "InternalError", False)]), asked(*some[1:]))
    stub.add_response("send_message_batch", answer("0"), asked(some[2]))

    send(some)

    assert waits == sorted(set(waits)), "longer each time"


def test_what_sqs_does_not_take_comes_back_as_it_was_sent(stub: Stubber, send: Callable[..., None]) -> None:
    some = [update(f"order-{n}", {"minutes": n}) for n in range(12)]
    stub.add_response(
        "send_message_batch",
        answer(failed=[("3", "InvalidMessageContents", True), ("7", "InternalError", False)]),
        asked(*some[:10]),
    )
    for _ in range(2):
        stub.add_response("send_message_batch", answer(failed=[("0", "InternalError", False)]), asked(some[7]))
    stub.add_response("send_message_batch", answer("0", "1"), asked(*some[10:]))

    with pytest.raises(NotSent, match="did not take 2: InternalError, InvalidMessageContents") as failure:
        send(some)

    assert failure.value.publishes == (some[3], some[7])
    assert failure.value.reasons == ("InvalidMessageContents", "InternalError")


def test_where_sqs_cannot_be_asked_all_that_is_left_comes_back(stub: Stubber, send: Callable[..., None]) -> None:
    some = [update(f"order-{n}", {"minutes": n}) for n in range(25)]
    stub.add_response("send_message_batch", answer(failed=[("0", "InternalError", True)]), asked(*some[:10]))
    stub.add_client_error("send_message_batch", "AWS.SimpleQueueService.NonExistentQueue")

    with pytest.raises(NotSent) as failure:
        send(some)

    assert failure.value.publishes == (some[0], *some[10:])
    assert set(failure.value.reasons[1:]) == {"AWS.SimpleQueueService.NonExistentQueue", "not tried"}
    assert failure.value.__cause__ is not None


def test_nobody_there_is_no_loss_either(sqs: "SQSClient", waits: list[float]) -> None:
    away = boto3.client(
        "sqs",
        endpoint_url="http://127.0.0.1:1",
        region_name="eu-central-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )
    one = update("order-42", {"minutes": 7})

    with pytest.raises(NotSent, match="EndpointConnectionError") as failure:
        Publisher(away, URL).send([one])

    assert failure.value.publishes == (one,)


def test_one_that_push_would_refuse_holds_all_back_and_says_which(send: Callable[..., None]) -> None:
    """Nothing answers for SQS here."""
    with pytest.raises(InvalidInput, match="aps: is missing") as refused:
        send([update("order-42", {"minutes": 7}), {"activity": "order-43"}])

    assert refused.value.__notes__ == ["in publishes[1]; nothing was sent"]


def test_a_publish_made_by_hand_gets_its_moment_when_it_is_sent(stub: Stubber, send: Callable[..., None]) -> None:
    by_hand = messages.update("order-by-hand")
    with time_machine.travel(messages.NOW_S, tick=False):
        stub.add_response("send_message_batch", answer(), asked({**by_hand, "published_at_ms": messages.NOW_MS}))

        send([by_hand])

    assert "published_at_ms" not in by_hand


# --- the whole way


@pytest.mark.parametrize("ahead_s", [0, 3600])
def test_a_story_told_at_once_ends_as_it_was_told(stack: Stack, ahead_s: int) -> None:
    """Also where the producer's clock is ahead, and push goes by SQS's time."""
    ana = stack.phones.of("ana")
    settle(stack)
    queue = Publisher(stack.aws.sqs, stack.aws.queues["PublishQueue"])

    with time_machine.travel(time.time() + ahead_s):
        story = [
            start(
                "order-42",
                attributes_type="OrderAttributes",
                attributes={"shop": "Pizzeria Uno"},
                content_state={"driver": "Ana \ufffe", "minutes": 30},
                alert={"title": "On its way"},
                users=["ana"],
            ),
            *(update("order-42", {"driver": "Ana", "minutes": left}) for left in range(29, 0, -7)),
        ]
    queue.send(story)
    settle(stack)

    assert minutes(ana) == 1
    assert refused(stack) == []

    queue.send([end("order-42", {"driver": "Ana", "minutes": 0})])
    settle(stack)

    assert [push.payload["aps"]["event"] for push in stack.apns.pushes][-1] == "end"


def test_sending_the_same_twice_changes_nothing(stack: Stack) -> None:
    ana = stack.phones.of("ana")
    settle(stack)
    queue = Publisher(stack.aws.sqs, stack.aws.queues["PublishQueue"])
    say(stack, messages.start("order-42", "ana"))
    settle(stack)
    seven, six = (update("order-42", {"driver": "Ana", "minutes": left}) for left in (7, 6))

    for story in ([seven, six], [seven]):
        queue.send(story)
        settle(stack)

    assert minutes(ana) == 6
