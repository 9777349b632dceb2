"""The page of symptoms: what it tells to look at is there, and is said as it says."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lockstep.envelope import SqsRecord, open_envelope
from lockstep.errors import InvalidInput
from lockstep.findings import Why
from lockstep.fitting import check
from lockstep.merge import Effect
from lockstep.publishes import parse
from lockstep.reasons import REASONS
from lockstep.schemas import Schemas
from lockstep.telemetry import Count
from lockstep.wording import why_not
from onebox.phone import Phone
from onebox.stack import Stack
from tests.asking import explained
from tests.documents import ROOT
from tests.explaining import ROW
from tests.messages import NOW_MS, sqs, start, update
from tests.producer_side import SCHEMA
from tests.pushing import ORDER, ask, now_ms, say, settle, started

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
    "aps.content-state.minutes: is missing": start(aps={"content-state": {"driver": "Ana"}}),
    "aps: makes the start push": start("order-42", "ana", aps={"attributes": {"shop": "x" * 3900}}),
    "published_at_ms: must be": update(published_at_ms=str(NOW_MS)),
    "published_at_ms: is over": update(published_at_ms=NOW_MS // 1000),
    "guests: are missing": start(),
    "channel: reaches whoever subscribes, and this stack": start("order-42", "ana", channel="latest"),
}


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n")[1].partition("\n## ")[0]


@pytest.fixture
def schemas(tmp_path: Path) -> Schemas:
    """Return the schema of a stack that has one."""
    (tmp_path / "OrderAttributes.json").write_text(json.dumps(SCHEMA))
    return Schemas.from_folder(tmp_path)


def refusals() -> list[str]:
    found = re.findall(r"^\| `([^`]+)` \|", section("Messages in the dead-letter queue"), re.MULTILINE)
    return [reason for reason in found if reason != "reason"]


def read(body: object, schemas: Schemas, *, guests_required: bool) -> None:
    """Read a publish as push does."""
    message = open_envelope(SqsRecord.of(sqs(body)), now_ms=NOW_MS)
    check(schemas, parse(message, now_ms=NOW_MS, guests_required=guests_required))


def test_every_refusal_of_the_page_is_tried() -> None:
    assert len(refusals()) == len(REFUSED)


@pytest.mark.parametrize("reason", refusals())
def test_a_publish_is_refused_for_the_reason_that_the_page_names(reason: str, schemas: Schemas) -> None:
    [body] = [body for begins, body in REFUSED.items() if reason.startswith(begins)]

    with pytest.raises(InvalidInput) as refused:
        read(body, schemas, guests_required=reason.startswith(("guests", "channel")))

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


def test_what_is_called_the_sweeps_metric_is_counted_by_the_sweep() -> None:
    told = re.findall(r"(\w+)'s\s+metric `(\w+)`", PAGE)
    sweeping = (ROOT / "layers" / "shared" / "lockstep" / "sweeping.py").read_text()
    counted = {Count[name].value for name in re.findall(r"Count\.([A-Z_]+)", sweeping)}

    assert {who for who, _ in told} == {"sweep"}
    assert {metric for _, metric in told} <= counted


def test_every_log_line_is_written_and_every_outcome_said() -> None:
    lines = re.findall(r"^\| `([\w ]+)` \| ", section("Where to look"), re.MULTILINE)

    assert lines
    assert [line for line in lines if not re.search(rf'log\.\w+\(\s*"{line}"', PACKAGE)] == []
    assert "attributes, state and alert together are too long to start" in PACKAGE
    assert {effect.value for effect in Effect} == {"took", "repeated", "superseded"}
    assert all(f"`{effect.value}`" in PAGE for effect in Effect)


# --- what explain says


def quoted() -> set[str]:
    """Return what the page quotes of what `explain` says of a phone."""
    cells = re.findall(r"`explain`: (.*?)(?: \||;)", PAGE)
    return {words for cell in cells for words in re.findall(r'"([^"]+)"', cell)}


def test_all_that_is_quoted_of_explain_is_said_by_it() -> None:
    said = "\n".join(why_not(why, ROW, NOW_MS, NOW_MS) for why in Why)

    assert len(quoted()) == 9
    assert [words for words in quoted() if words not in said] == []


def swiped(stack: Stack, phone: Phone) -> None:
    phone.swipe(ORDER)


def token_changed(stack: Stack, phone: Phone) -> None:
    phone.kill_tokens(ORDER)
    say(stack, update(ORDER))


def of_another_type(stack: Stack, phone: Phone) -> None:
    say(stack, start(ORDER, "ben", aps={"attributes-type": "Order"}))


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (swiped, "the user swiped it away"),
        (token_changed, "Apple called its card's token dead"),
        (of_another_type, "no phone with a start token for Order:"),
    ],
)
def test_what_happened_to_a_phone_is_what_explain_says_of_it(
    stack: Stack, act: Callable[[Stack, Phone], None], words: str
) -> None:
    [phone] = started(stack, "ana")
    stack.phones.of("ben")
    settle(stack)

    act(stack, phone)
    settle(stack)

    assert any(words in sentence for sentence in explained(stack)["verdict"])
    assert any(words.startswith(one) for one in quoted())


def test_of_a_card_that_was_registered_late_there_are_more_cards_than_phones(stack: Stack) -> None:
    [phone] = started(stack, "ana")
    path, card = f"{phone.hardware.device}/cards/late", {"activity": ORDER, "token": "ab" * 40}
    ask(stack, path, {**card, "observed_at_ms": now_ms()})

    [counts] = explained(stack)["environments"].values()

    assert "`explain`: more cards than phones" in PAGE
    assert (counts["phones"], counts["cards"]) == (1, 2)


# --- push's log


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
