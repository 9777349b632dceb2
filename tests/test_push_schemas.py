"""push, whole, with schemas: what no app could decode is refused, and what that spares the phones."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from lockstep.errors import InvalidInput, Misconfigured
from lockstep.merge import Effect
from lockstep.schemas import Schemas
from onebox.lock_screen import Verdict
from onebox.phones import Phones
from onebox.stack import Stack
from tests.committing import committer
from tests.messages import end, read, start, update
from tests.pushing import ORDER, minutes, now_ms, pushed, refused, row, say, set_up_with, settle, started

WHOLE = {"type": "integer"}
SCHEMA = {
    "properties": {
        "attributes": {
            "properties": {"shop": {"type": "string"}, "run": WHOLE},
            "required": ["shop", "activity", "run"],
        },
        "content-state": {"properties": {"driver": {"type": "string"}, "minutes": WHOLE}, "required": ["minutes"]},
    }
}
REASON = "aps.content-state.minutes: must be a whole number"


def late(activity: str = ORDER) -> dict[str, Any]:
    return update(activity, aps={"content-state": {"driver": "Ana", "minutes": "late"}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schemas")
    (folder / "OrderAttributes.json").write_text(json.dumps(SCHEMA))
    return folder


def test_what_does_not_fit_is_refused_by_its_path_and_holds_back_none_of_its_neighbours(
    stack: Stack, folder: Path
) -> None:
    [ana] = started(stack, "ana")
    with set_up_with(stack, SCHEMAS_FOLDER=str(folder)):
        failed = say(
            stack, late(), update("order-43"), update(minutes=3), end(aps={"content-state": {"minutes": None}})
        )
        settle(stack)
    lines = [json.loads(line) for line in stack.functions["PushFunction"].log.lines]

    assert failed == []
    assert minutes(ana) == 3
    assert not row(stack).registers.ended
    assert [(letter["reason"], json.loads(letter["body"])["aps"]["event"]) for letter in refused(stack)] == [
        (REASON, "update"),
        (REASON, "end"),
    ]
    assert [line["reason"] for line in lines if line.get("message") == "refused"] == [REASON] * 2
    counted = [line for line in lines if "_aws" in line]
    assert sum(sum(line.get("Refused", [])) for line in counted) == 2
    assert [one.verdict for one in ana.history if one.by == "push"] == [Verdict.APPLIED] * 2


def test_a_start_that_would_make_no_card_is_refused(stack: Stack, folder: Path) -> None:
    ana = stack.phones.of("ana")
    settle(stack)
    with set_up_with(stack, SCHEMAS_FOLDER=str(folder)):
        say(stack, start(ORDER, "ana", aps={"attributes": {"store": "Uno"}}), start("order-43", "ana"))
        settle(stack)

    assert [letter["reason"] for letter in refused(stack)] == ["aps.attributes.shop: is missing"]
    assert [card.activity for card in ana.cards] == ["order-43"]


def test_without_a_schema_apple_takes_what_the_phone_does_not(stack: Stack, folder: Path) -> None:
    """What schemas are for: a 200, and a card that never changes."""
    schemas = Schemas.from_folder(folder)
    phones = Phones(stack.apns, api=stack.api.url, token=stack.identity.token, schemas=schemas)
    ana = phones.of("ana")
    phones.wait()
    say(stack, start(ORDER, "ana"))
    phones.wait()
    settle(stack)
    stack.apns.clear()

    say(stack, late())
    settle(stack)

    assert pushed(stack) == [("update", 200)]
    assert minutes(ana) == 30
    assert ana.history[-1].verdict is Verdict.DECODE_ERROR
    phones.clear()
    phones.stop()


def test_an_app_makes_no_card_of_what_it_can_not_decode_and_shows_no_such_state(stack: Stack, folder: Path) -> None:
    schemas = Schemas.from_folder(folder)
    phones = Phones(stack.apns, api=stack.api.url, token=stack.identity.token, schemas=schemas)
    say(stack, start(ORDER, "ana"), start("order-43", "ana"), late("order-43"))
    settle(stack)
    ana = phones.of("ana", self_start=True, os_version="16.4")
    phones.wait()
    shown = ana.shows(ORDER)
    say(stack, late())
    settle(stack)
    ana.launch()
    phones.wait()

    assert [card.activity for card in ana.cards] == [ORDER]
    assert ana.shows(ORDER) == shown
    phones.clear()
    phones.stop()


def test_a_state_from_before_its_start_does_not_keep_the_card_from_being_made(stack: Stack, folder: Path) -> None:
    ana = stack.phones.of("ana")
    settle(stack)
    at_ms = now_ms()
    with set_up_with(stack, SCHEMAS_FOLDER=str(folder)):
        say(stack, late(), sent_at_ms=at_ms)
        say(stack, start(ORDER, "ana"), sent_at_ms=at_ms - 1000)
        settle(stack)
    lines = [json.loads(line) for line in stack.functions["PushFunction"].log.lines]

    assert minutes(ana) == 30
    assert refused(stack) == []
    [said] = [line for line in lines if line.get("message") == "a state from before the start was left out"]
    assert (said["activity"], said["reason"]) == (ORDER, REASON)


def test_a_start_that_another_function_wrote_meanwhile_counts(stack: Stack, folder: Path) -> None:
    ours = committer(stack, time.time, schemas=Schemas.from_folder(folder))
    ours.commit([read(start(), at_ms=now_ms() - 10)])

    both = ours.commit([read(late(), at_ms=now_ms()), read(update(minutes=3), at_ms=now_ms())], rows={})

    [why, effect] = both.effects
    assert isinstance(why, InvalidInput)
    assert str(why) == REASON
    assert effect is Effect.TOOK


def test_of_publishes_that_are_all_refused_nothing_is_written_nor_delivered(stack: Stack, folder: Path) -> None:
    ours = committer(stack, time.time, schemas=Schemas.from_folder(folder))
    before = ours.commit([read(start(), at_ms=now_ms() - 10)]).row

    committed = ours.commit([read(late(), at_ms=now_ms())])

    assert committed.delivery is None
    assert committed.row == before == row(stack)


def test_a_value_nested_to_the_limit_is_refused_like_any_other(stack: Stack, tmp_path: Path) -> None:
    tree = {"properties": {"t": {"$ref": "#/$defs/T"}, "n": WHOLE}}
    schema = {"$defs": {"T": tree}, "properties": {"content-state": {"$ref": "#/$defs/T"}}}
    (tmp_path / "OrderAttributes.json").write_text(json.dumps(schema))
    aps = '{"event": "update", "attributes-type": "OrderAttributes", "content-state": %s}'
    wrong_at_the_bottom = '{"t":' * 500 + '{"n": "x"}' + "}" * 500
    wrong_at_the_top = '{"n":' * 500 + "1" + "}" * 500

    with set_up_with(stack, SCHEMAS_FOLDER=str(tmp_path)):
        hostile = [
            f'{{"activity": "{ORDER}", "aps": {aps % deep}}}' for deep in (wrong_at_the_bottom, wrong_at_the_top)
        ]
        assert say(stack, *hostile, update(minutes=3)) == []

    assert [letter["reason"] for letter in refused(stack)] == [
        f"aps.content-state.{'t.' * 20}…: must be a whole number",
        "aps.content-state: does not fit its schema, and is nested too deep to say where",
    ]
    assert row(stack).registers.state is not None


def test_a_schema_that_is_none_stops_push_at_its_start_and_loses_no_publish(
    stack: Stack, tmp_path: Path, folder: Path
) -> None:
    [ana] = started(stack, "ana")
    (tmp_path / "OrderAttributes.json").write_text("<<<<<<< HEAD")
    stack.publish(update(minutes=3))
    with set_up_with(stack, SCHEMAS_FOLDER=str(tmp_path)), pytest.raises(Misconfigured) as stopped:
        stack.drain()
    assert str(stopped.value).startswith("OrderAttributes.json is no schema: ")
    assert minutes(ana) == 30

    with set_up_with(stack, SCHEMAS_FOLDER=str(folder)):
        stack.drain(hasten=True)

    assert minutes(ana) == 3
    assert refused(stack) == []
