"""The page of symptoms: what it tells to look at is there, and is said as it says."""

import json
import re

import pytest

from lockstep.envelope import SqsRecord, open_envelope
from lockstep.errors import InvalidInput
from lockstep.merge import Effect
from lockstep.publishes import parse
from lockstep.reasons import REASONS
from lockstep.telemetry import Count
from onebox.stack import Stack
from tests.documents import ROOT
from tests.messages import NOW_MS, sqs, start, update

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
TEMPLATE = (ROOT / "template.yaml").read_text()
PACKAGE = "\n".join(path.read_text() for path in (ROOT / "layers" / "shared" / "lockstep").glob("*.py"))

# Publishes that are refused for a reason of the page's table; all others of its rows are made of these.
REFUSED: dict[str, object] = {
    "body: is not JSON: JSONDecodeError": '"activity": "order-42"',
    "activity: must be": update("order/42"),
    "aps: is missing": {"activity": "order-42"},
    "aps.event: must be": update(aps={"event": "updated"}),
    "aps.content-state: is missing; an update": {"activity": "order-42", "aps": {"event": "update"}},
    "aps.alert: needs": start("order-42", "ana", aps={"alert": {}}),
    "aps.stale-date: is in milliseconds": update(aps={"stale-date": NOW_MS}),
    "to: goes with": update(to={"users": ["ana"]}),
    "aps.attributes.run: is set": start(aps={"attributes": {"run": 1}}),
    "published_at_ms: must be": update(published_at_ms=str(NOW_MS)),
    "published_at_ms: is over": update(published_at_ms=NOW_MS // 1000),
    "guests: are missing": start(),
}


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n")[1].partition("\n## ")[0]


def refusals() -> list[str]:
    found = re.findall(r"^\| `([^`]+)` \|", section("Messages in the dead-letter queue"), re.MULTILINE)
    return [reason for reason in found if reason != "reason"]


def test_every_refusal_of_the_page_is_tried() -> None:
    assert len(refusals()) == len(REFUSED)


@pytest.mark.parametrize("reason", refusals())
def test_a_publish_is_refused_for_the_reason_that_the_page_names(reason: str) -> None:
    [body] = [body for begins, body in REFUSED.items() if reason.startswith(begins)]

    with pytest.raises(InvalidInput) as refused:
        parse(
            open_envelope(SqsRecord.of(sqs(body)), now_ms=NOW_MS),
            now_ms=NOW_MS,
            guests_required=reason.startswith("guests"),
        )

    assert str(refused.value) == reason


def test_a_dead_letter_says_it_in_these_words(stack: Stack) -> None:
    stack.publish(update("order/42"))
    stack.drain()

    [dead] = stack.queues.look("PublishDeadLetterQueue")
    assert dead.attributes["reason"] in refusals()


def test_every_reason_of_apples_is_in_our_table() -> None:
    named = set(re.findall(r"`([A-Z][A-Za-z]+)`", section("What Apple's reasons mean")))

    assert named - REASONS.keys() == {"Forgotten", "BundleId", "MinUpdateInterval"}


def test_every_name_is_a_metric_a_reason_an_alarm_a_parameter_or_an_output() -> None:
    named = set(re.findall(r"`([A-Z][a-z]+[A-Z][A-Za-z]+)`", PAGE))
    counted = {count.value for count in Count} | {"PublishToAcceptance"}
    declared = set(re.findall(r"^  ([A-Z][A-Za-z]+):$", TEMPLATE, re.MULTILINE))

    assert named - counted - REASONS.keys() - declared == set()


def test_every_log_line_is_written_and_every_outcome_said() -> None:
    lines = re.findall(r"^\| `(\w+)` \| ", section("Where to look"), re.MULTILINE)

    assert lines
    assert [line for line in lines if not re.search(rf'log\.\w+\(\s*"{line}"', PACKAGE)] == []
    assert "attributes, state and alert together are too long to start" in PACKAGE
    assert {effect.value for effect in Effect} == {"took", "repeated", "superseded"}
    assert all(f"`{effect.value}`" in PAGE for effect in Effect)


def test_a_line_of_pushs_log_is_found_by_the_filter_of_the_page(stack: Stack) -> None:
    phone = stack.phones.of("ana")
    stack.phones.wait()
    stack.publish(start("order-42", "ana"))
    stack.drain()
    card = phone.card("order-42")
    assert card is not None
    assert card.token is not None
    stack.apns.kill_token(card.token)
    stack.publish(update("order-42"))
    stack.drain()

    lines = [json.loads(line) for line in stack.functions["PushFunction"].log.lines if line.startswith("{")]
    told = [line for line in lines if line.get("activity") == "order-42"]

    assert {line["message"] for line in told} >= {"published", "push"}
    assert {line["outcome"] for line in told if line["message"] == "published"} == {"took"}
    [push] = [line for line in told if line["message"] == "push"]
    assert (push["outcome"], push["reason"], push["status"]) == ("rejected", "Unregistered", 410)
    assert {"phone", "token", "start", "environment"} <= push.keys()
