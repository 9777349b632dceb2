"""The sweep: activities past Apple's eight hours, ends said again, channels that nobody needs."""

import json
import time
from collections.abc import Iterator

import pytest
import time_machine

from lockstep.activities import Activities
from lockstep.apns import Environment
from lockstep.channel_items import ChannelItems, MadeChannel
from lockstep.channels import Storage
from onebox import ROOT
from onebox.apns.received import ReceivedPush
from onebox.apns.simulator import Fault
from onebox.lock_screen import CardState
from onebox.phone import Phone
from onebox.stack import Stack
from tests.messages import end, start, update
from tests.pushing import ORDER, minutes, pushed, row, say, settle, started

TEAM = "team-42"
PRODUCTION, SANDBOX = Environment.PRODUCTION, Environment.SANDBOX
HOUR_S = 3600


@pytest.fixture
def clock(stack: Stack) -> Iterator[time_machine.Traveller]:
    """A clock that can be set forward; it is everybody's here."""
    with time_machine.travel(time.time(), tick=True) as clock:
        yield clock
    # What was signed with tomorrow's date is of no use today.
    stack.functions["PushFunction"].restart()
    stack.functions["SweepFunction"].restart()


def sweep(stack: Stack) -> None:
    stack.functions["SweepFunction"].invoke(json.loads((ROOT / "events" / "sweep.json").read_text()))


def on_channel(stack: Stack, storage: str = "frequent", *, users: tuple[str, ...] = ("ana",)) -> list[Phone]:
    """Have followers started on a channel."""
    phones = [stack.phones.of(user, follows=[TEAM]) for user in users]
    settle(stack)
    say(stack, {**start(ORDER), "to": {"audience": TEAM}, "channel": storage})
    settle(stack)
    stack.apns.clear()
    return phones


def broadcasts(stack: Stack) -> list[ReceivedPush]:
    return [push for push in stack.apns.pushes if push.channel is not None]


def channels(stack: Stack, environment: Environment = PRODUCTION) -> set[str]:
    return {one.id for one in stack.apns.channels.every(environment)}


def items(stack: Stack) -> ChannelItems:
    return ChannelItems(stack.aws.dynamodb, stack.aws.tables["ActivitiesTable"])


def metrics(stack: Stack, name: str) -> list[float]:
    """List what the sweep has said of a metric."""
    found = [json.loads(line) for line in stack.functions["SweepFunction"].log.lines if '"_aws"' in line]
    return [value for line in found for value in line.get(name, [])]


# --- eight hours


def test_an_activity_is_closed_when_apple_has_ended_its_cards(stack: Stack, clock: time_machine.Traveller) -> None:
    [phone] = started(stack, "ana")
    clock.shift(8 * HOUR_S - 60)
    sweep(stack)
    assert stack.queues.count("PublishQueue") == 0

    clock.shift(120)
    sweep(stack)
    stack.drain(hasten=True)

    assert row(stack).registers.ended
    card = phone.card(ORDER)
    assert card is not None
    assert card.state(time.time()) is CardState.ENDED
    say(stack, update())
    assert pushed(stack)[-1][0] == "end", "what is said after it reaches nobody"


def test_a_start_again_gives_it_another_eight_hours(stack: Stack, clock: time_machine.Traveller) -> None:
    started(stack, "ana")
    clock.shift(7 * HOUR_S)
    say(stack, start(ORDER, "ana", "ben"))
    settle(stack)

    clock.shift(2 * HOUR_S)
    sweep(stack)

    assert stack.queues.count("PublishQueue") == 0


def test_an_activity_without_a_start_is_the_apps_affair(stack: Stack, clock: time_machine.Traveller) -> None:
    say(stack, update())
    clock.shift(9 * HOUR_S)

    sweep(stack)

    assert stack.queues.count("PublishQueue") == 0
    assert row(stack).registers.running


def test_a_sweep_that_comes_much_too_late_still_closes(stack: Stack, clock: time_machine.Traveller) -> None:
    started(stack, "ana")
    clock.shift(20 * HOUR_S)

    sweep(stack)
    stack.drain(hasten=True)

    assert row(stack).registers.ended


# --- ends


def test_an_end_is_said_again_quietly_until_410_confirms_it(stack: Stack, clock: time_machine.Traveller) -> None:
    ana, ben = started(stack, "ana", "ben")
    say(stack, end(aps={"content-state": {"driver": "Ana", "minutes": 0}, "alert": {"title": "Here"}}))
    settle(stack)
    card = ben.card(ORDER)
    assert card is not None
    assert card.token is not None
    stack.apns.kill_token(card.token)
    stack.apns.clear()

    said = []
    for minutes_later in (5, 4, 2, 30, 30, 60, 60):
        clock.shift(minutes_later * 60)
        sweep(stack)
        settle(stack)
        said.append(pushed(stack))
        stack.apns.clear()

    assert said == [[], [], [("end", 200), ("end", 410)], [], [("end", 200)], [], []] or said == [
        [],
        [],
        [("end", 410), ("end", 200)],
        [],
        [("end", 200)],
        [],
        [],
    ]
    assert sum(one.rang for one in ana.history if one.event == "end") == 1
    lines = [json.loads(line) for line in stack.functions["PushFunction"].log.lines if '"_aws"' in line]
    took_ms = [value for line in lines for value in line.get("PublishToAcceptance", ())]
    assert took_ms, "the start and the end were news"
    assert max(took_ms) < 300_000, "what is said again is none"


def test_what_is_said_again_has_priority_5_and_no_alert(stack: Stack, clock: time_machine.Traveller) -> None:
    started(stack, "ana")
    say(stack, end(aps={"alert": {"title": "Here"}}, priority=10) | {"priority": 10})
    settle(stack)
    stack.apns.clear()
    clock.shift(601)

    sweep(stack)
    settle(stack)

    [push] = stack.apns.pushes
    assert push.headers["apns-priority"] == "5"
    assert "alert" not in push.payload["aps"]


def test_a_new_run_is_not_ended_by_what_was_to_be_said_again(stack: Stack, clock: time_machine.Traveller) -> None:
    [phone] = started(stack, "ana")
    say(stack, end())
    settle(stack)
    clock.shift(300)
    say(stack, start(ORDER, "ana"))
    settle(stack)
    clock.shift(600)

    sweep(stack)
    settle(stack)

    card = phone.card(ORDER)
    assert card is not None
    assert card.is_running(time.time())


def test_a_sweep_that_dies_after_its_message_says_it_the_next_time(stack: Stack, clock: time_machine.Traveller) -> None:
    started(stack, "ana")
    say(stack, end())
    settle(stack)
    stack.apns.clear()
    clock.shift(601)

    def dies(**_: object) -> None:
        raise SystemExit("the function is killed")

    events = stack.functions["SweepFunction"].names["dynamodb"].meta.events
    events.register("provide-client-params.dynamodb.UpdateItem", dies)
    with pytest.raises(SystemExit):
        sweep(stack)
    events.unregister("provide-client-params.dynamodb.UpdateItem", dies)
    settle(stack)
    assert pushed(stack) == []
    sweep(stack)
    settle(stack)

    assert pushed(stack) == [("end", 200)]


# --- channels


def test_a_channel_goes_when_its_activity_has_been_over_for_an_hour(
    stack: Stack, clock: time_machine.Traveller
) -> None:
    on_channel(stack, "latest")
    say(stack, end())
    settle(stack)

    left = []
    for _ in range(8):
        clock.shift(600)
        sweep(stack)
        settle(stack)
        left.append(len(channels(stack)))

    assert left == [1, 1, 1, 1, 1, 0, 0, 0]
    assert len(broadcasts(stack)) == 3, "the end, and twice more"
    assert not list(items(stack).made(PRODUCTION))


def test_what_no_row_knows_goes_once_it_is_ten_minutes_old(stack: Stack, clock: time_machine.Traveller) -> None:
    [phone] = on_channel(stack)
    [before] = channels(stack)
    say(stack, end())
    say(stack, {**start(ORDER), "to": {"audience": TEAM}, "channel": "frequent"})
    settle(stack)
    card = phone.card(ORDER)
    assert card is not None
    sweep(stack)
    assert channels(stack) == {before, card.channel}

    clock.shift(601)
    sweep(stack)

    assert channels(stack) == {card.channel}


def test_what_others_made_is_counted_and_left_alone(stack: Stack, clock: time_machine.Traveller) -> None:
    others = {stack.apns.channels.create(PRODUCTION, 0), stack.apns.channels.create(PRODUCTION, 1)}
    on_channel(stack)

    for _ in range(3):
        clock.shift(2 * HOUR_S)
        sweep(stack)

    assert others < channels(stack)
    assert metrics(stack, "ChannelsOfOthers") == [2] * 3
    assert metrics(stack, "Channels") == [3, 0] * 3, "of production, and of the sandbox"


def test_the_sole_owner_deletes_what_it_has_seen_an_hour_apart(stack: Stack, clock: time_machine.Traveller) -> None:
    function = stack.functions["SweepFunction"]
    function.restart(SOLE_CHANNEL_OWNER="true")
    try:
        on_channel(stack)
        ours = channels(stack)
        lost = stack.apns.channels.create(SANDBOX, 0)
        sweep(stack)
        clock.shift(HOUR_S - 60)
        sweep(stack)
        assert channels(stack, SANDBOX) == {lost}

        clock.shift(120)
        sweep(stack)

        assert channels(stack, SANDBOX) == set()
        assert channels(stack) == ours
        assert not items(stack).sightings(SANDBOX)
    finally:
        function.restart(SOLE_CHANNEL_OWNER="false")


def test_a_channel_whose_answer_was_lost_is_deleted_in_the_end(stack: Stack, clock: time_machine.Traveller) -> None:
    function = stack.functions["SweepFunction"]
    function.restart(SOLE_CHANNEL_OWNER="true")
    try:
        stack.apns.faults.add(Fault("reset", on="channels", taken=True))
        on_channel(stack)
        assert len(channels(stack)) == 1
        assert not row(stack).channels

        sweep(stack)
        clock.shift(HOUR_S + 60)
        sweep(stack)

        assert channels(stack) == set()
    finally:
        function.restart(SOLE_CHANNEL_OWNER="false")


def test_what_is_frequent_is_said_again_until_it_is_over(stack: Stack, clock: time_machine.Traveller) -> None:
    [phone] = on_channel(stack)
    phone.go_offline()
    say(stack, update(minutes=3))
    settle(stack)
    phone.go_online()
    assert minutes(phone) == 30
    clock.shift(300)

    sweep(stack)
    settle(stack)

    assert minutes(phone) == 3
    stack.apns.clear()
    sweep(stack)
    settle(stack)
    [again] = broadcasts(stack)
    assert (again.payload["aps"]["event"], again.headers["apns-priority"]) == ("update", "5")


def test_what_is_stored_is_not_said_again(stack: Stack, clock: time_machine.Traveller) -> None:
    on_channel(stack, "latest")
    clock.shift(300)

    sweep(stack)
    settle(stack)

    assert not broadcasts(stack)


def test_one_environment_that_apple_refuses_does_not_hold_back_the_other(
    stack: Stack, clock: time_machine.Traveller
) -> None:
    made = {one: stack.apns.channels.create(one, Storage.LATEST.message_storage_policy) for one in Environment}
    for environment, channel in made.items():
        items(stack).put(MadeChannel(environment, str(channel), "gone", int(time.time())))
    clock.shift(601)
    stack.apns.faults.add(
        Fault("answer", on="channels", environment=PRODUCTION, status=403, reason="BadEnvironmentKeyIdInToken")
    )

    sweep(stack)

    assert (len(channels(stack)), len(channels(stack, SANDBOX))) == (1, 0)


def test_a_channel_that_somebody_else_deleted_is_forgotten(stack: Stack, clock: time_machine.Traveller) -> None:
    on_channel(stack)
    say(stack, end())
    settle(stack)
    [channel] = channels(stack)
    stack.apns.channels.delete(PRODUCTION, channel)
    clock.shift(3 * HOUR_S)
    sweep(stack)
    settle(stack)
    clock.shift(3 * HOUR_S)

    sweep(stack)
    settle(stack)
    sweep(stack)

    assert not list(items(stack).made(PRODUCTION))


def test_the_index_names_only_rows_that_have_something_to_come(stack: Stack, clock: time_machine.Traveller) -> None:
    activities = Activities(stack.aws.dynamodb, stack.aws.tables["ActivitiesTable"])
    say(stack, start(ORDER), update("order-43"))
    tomorrow_s = int(time.time()) + 24 * HOUR_S

    assert list(activities.due_for_sweep(now_s=tomorrow_s)) == [ORDER]
    assert list(activities.due_for_sweep(now_s=int(time.time()))) == []
    say(stack, end())
    for _ in range(2):
        clock.shift(HOUR_S + 60)
        sweep(stack)
        settle(stack)
    assert list(activities.due_for_sweep(now_s=tomorrow_s)) == []
