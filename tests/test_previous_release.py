"""What one release leaves behind, the other goes on with: from the previous release to this one, and back."""

import io
import json
import lzma
import re
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from lockstep.ids import phone_of
from onebox import ROOT
from onebox.apns.received import ReceivedPush
from onebox.stack import Stack
from tests.messages import end, start, update
from tests.previous.recorded import on_stage, record_all, recorded
from tests.previous.release import ARCHIVE, Release, archived, commit_of_archive
from tests.previous.scenes import FANS, MATCH, ORDER, record
from tests.previous.stage import Kept, Stage, device

THERE, BACK = "from the previous release to this one", "from this release to the previous one"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("previous")
    with Stack(folder, polling=False) as stack, on_stage(stack, folder / "previous") as stage:
        yield stage


@pytest.fixture(scope="module", params=[THERE, BACK])
def left(request: pytest.FixtureRequest, stage: Stage) -> dict[str, Kept]:
    """Return what the functions of one release left behind; those of the other are deployed."""
    stage.deploy(Release.THIS)
    if request.param == THERE:
        return recorded()[1]
    found = record_all(stage)
    stage.deploy(Release.PREVIOUS)
    return found


@pytest.fixture
def go_on(stage: Stage, left: dict[str, Kept]) -> Any:
    """Return what brings a scene back."""

    def bring_back(name: str) -> Kept:
        stage.bring_back(left[name])
        return left[name]

    return bring_back


def item(stage: Stage, activity: str, part: str = "row") -> dict[str, Any]:
    """Read an item of the activities table, as plain values."""
    found = [
        one for one in stage.items("ActivitiesTable") if (one["activity"]["S"], one["part"]["S"]) == (activity, part)
    ]
    return {name: int(value["N"]) if "N" in value else value.get("S") for name, value in (found or [{}])[0].items()}


def kept_item(kept: Kept, activity: str, part: str = "row") -> dict[str, Any]:
    [found] = [one for one in kept["ActivitiesTable"] if (one["activity"]["S"], one["part"]["S"]) == (activity, part)]
    return {name: int(value["N"]) if "N" in value else value.get("S") for name, value in found.items()}


def deliveries(kept: Kept, queue: str = "DeliveryQueue") -> list[dict[str, Any]]:
    return [json.loads(one["body"]) for one in kept["queues"].get(queue, [])]


def heard(stage: Stage, minutes: int | None = None, event: str = "update") -> Counter[str]:
    """Count by token the pushes that Apple took, of a state where one is said."""
    pushes = [push for push in stage.pushed(event) if minutes is None or minutes_of(push) == minutes]
    return Counter(push.token for push in pushes)


def minutes_of(push: ReceivedPush) -> object:
    return (push.payload["aps"].get("content-state") or {}).get("minutes")


def cards(stage: Stage, *users: str) -> Counter[str]:
    return Counter(stage.token(f"{user} card-1") for user in users)


def start_tokens(stage: Stage, *users: str) -> Counter[str]:
    return Counter(stage.token(f"{user} start") for user in users)


def started_before(kept: Kept) -> Counter[str]:
    return Counter(token for event, token, _ in kept["pushed"] if event == "start")


# --- rows


def test_an_activity_goes_on_with_a_stamp_above_the_last(stage: Stage, go_on: Any) -> None:
    before = kept_item(go_on("at_rest"), ORDER)

    stage.publish(update(ORDER, 3))
    stage.rest()

    assert heard(stage) == heard(stage, 3) == cards(stage, "ana", "ben")
    assert {push.payload["aps"]["timestamp"] > before["timestamp_s"] for push in stage.pushed()} == {True}
    after = item(stage, ORDER)
    assert after["run"] == before["run"]
    assert after["sent_revision"] == after["revision"] == before["revision"] + 1


def test_a_start_that_is_said_again_starts_nobody_twice(stage: Stage, go_on: Any) -> None:
    go_on("at_rest")

    stage.publish(start(ORDER, "ana", "ben"))
    stage.rest()

    assert not stage.pushed("start")
    assert heard(stage, 30) == cards(stage, "ana", "ben")


def test_an_app_that_reports_is_told_the_state_and_owed_nothing(stage: Stage, go_on: Any) -> None:
    before = kept_item(go_on("at_rest"), ORDER)

    [told] = stage.report(
        "ana", cards=[{"card": "card-1", "activity": ORDER, "token": stage.token("ana card-1"), "run": before["run"]}]
    )
    stage.rest()

    assert (told["activity"], told["run"], told["timestamp"]) == (ORDER, before["run"], before["timestamp_s"])
    assert told["content_state"]["minutes"] == 20
    assert not stage.pushed(), "its token is the one that was caught up"


def test_why_it_shows_is_told_of_what_either_release_left(stage: Stage, go_on: Any) -> None:
    go_on("at_rest")

    answer = stage.stack.functions["ExplainFunction"].invoke(json.loads((ROOT / "events" / "explain.json").read_text()))

    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["verdict"][0] == "It should show on 2 of 2 phones."


def test_guests_stay_the_only_ones(stage: Stage, go_on: Any) -> None:
    go_on("at_rest")

    assert stage.card("eve", ORDER) == 403
    assert stage.card("ben", ORDER) == 204


def test_an_end_is_said_again_when_its_time_has_come(stage: Stage, go_on: Any) -> None:
    kept = go_on("ended")
    stage.stack.publish({**update(ORDER, 9), "published_at_ms": kept["now_ms"] - 8_000})
    stage.rest()
    assert not stage.pushed(), "a state from before the end"

    stage.move(601)
    stage.sweep()
    stage.rest()

    [push] = stage.pushed()
    assert (push.token, push.payload["aps"]["event"], minutes_of(push)) == (stage.token("ana card-1"), "end", 0)
    assert push.headers["apns-priority"] == "5"
    assert push.payload["aps"]["timestamp"] > kept_item(kept, ORDER)["timestamp_s"]


def test_a_second_run_is_told_from_the_first(stage: Stage, go_on: Any) -> None:
    before = kept_item(go_on("second_run"), ORDER)

    stage.publish(update(ORDER, 3))
    stage.rest()
    assert heard(stage) == Counter([stage.token("ana card-2")])

    assert stage.card("ana", ORDER, card="card-3") == 204
    stage.rest()
    assert heard(stage, 3)[stage.token("ana card-3")] == 1
    assert heard(stage, event="end") == cards(stage, "ana"), "the first run's"
    assert item(stage, ORDER)["run"] == before["run"]


# --- what phones registered


def test_a_tombstone_forbids_its_token_until_it_is_seen_again(stage: Stage, go_on: Any) -> None:
    kept = go_on("dead_tokens")
    dead = stage.token("ana card-1")
    [tombstone] = [one for one in kept["TokensTable"] if "dead_token" in one and "card" in one]
    before_ms = int(tombstone["dead_at_ms"]["N"]) - 1
    assert before_ms > int(tombstone["observed_at_ms"]["N"])

    assert stage.card("ana", ORDER, observed_at_ms=before_ms) == 204
    stage.publish(update(ORDER, 3))
    stage.rest()
    assert heard(stage) == cards(stage, "ben")
    assert dead not in {push.token for push in stage.stack.apns.pushes}

    stage.revive(dead)
    assert stage.card("ana", ORDER) == 204
    stage.rest()
    assert heard(stage, 3) == cards(stage, "ana", "ben")


def test_a_start_tokens_tombstone_does_the_same(stage: Stage, go_on: Any) -> None:
    go_on("dead_tokens")
    dead = stage.token("ben start")

    stage.publish(start(MATCH, "ben"))
    stage.rest()
    assert dead not in {push.token for push in stage.stack.apns.pushes}

    stage.revive(dead)
    stage.report("ben")
    stage.rest()
    assert heard(stage, event="start") == Counter([dead])


def test_a_card_that_was_swiped_away_is_not_brought_back(stage: Stage, go_on: Any) -> None:
    go_on("swiped")

    stage.publish(start(ORDER, "ana", "ben"))
    stage.report("ana")
    stage.rest()

    assert not stage.pushed("start")
    assert heard(stage) == cards(stage, "ben")


def test_a_sign_out_that_died_is_done_by_its_message(stage: Stage, go_on: Any) -> None:
    kept = go_on("signed_out")
    assert [set(one) for one in deliveries(kept)] == [{"v", "forget"}]
    assert {one.get("owner", {}).get("S") for one in kept["TokensTable"]} == {"ana", "ben", None}

    stage.publish(update(ORDER, 3))
    stage.rest()

    assert heard(stage) == cards(stage, "ben")
    assert {one.get("owner", {}).get("S") for one in stage.items("TokensTable")} == {"ben", None}


# --- messages


def test_a_delayed_delivery_is_made(stage: Stage, go_on: Any) -> None:
    kept = go_on("paced")
    assert kept_item(kept, ORDER)["due_at_ms"]
    assert [one["audience"] for one in deliveries(kept)] == ["all"]

    stage.rest()

    assert heard(stage) == heard(stage, 14) == cards(stage, "ana", "ben")


def test_what_a_function_owed_that_died_is_delivered(stage: Stage, go_on: Any) -> None:
    before = kept_item(go_on("owed"), ORDER)
    assert before["sent_revision"] < before["revision"]

    stage.rest()

    assert heard(stage) == heard(stage, 15) == cards(stage, "ana", "ben")
    assert all(push.at_ms / 1000 - push.payload["aps"]["timestamp"] < 20 for push in stage.pushed())
    assert item(stage, ORDER)["sent_revision"] == before["revision"]


def test_a_start_that_nobody_could_confirm_is_not_sent_again(stage: Stage, go_on: Any) -> None:
    kept = go_on("start_unconfirmed")
    assert started_before(kept) == start_tokens(stage, "ana")
    assert [one["confirmed"]["BOOL"] for one in kept["TokensTable"] if "confirmed" in one] == [False]
    assert kept_item(kept, f"lease#{ORDER}", "starts")["until_ms"] > kept["now_ms"]

    stage.rest()
    assert not stage.pushed("start")

    assert stage.card("ana", ORDER) == 204
    stage.rest()
    assert heard(stage, 30) == cards(stage, "ana")


def test_what_apple_was_too_busy_for_is_tried_again_and_still_rings(stage: Stage, go_on: Any) -> None:
    kept = go_on("retries")
    assert sorted((one["audience"], one["attempt"]) for one in deliveries(kept)) == [("cards", 1), ("starts", 1)]
    rang = Counter(token for event, token, rings in kept["pushed"] if event == "update" and rings)
    assert rang.total() == 1

    stage.rest()

    assert heard(stage, event="start") == start_tokens(stage, "zoe")
    [push] = stage.pushed("update")
    assert "alert" in push.payload["aps"]
    assert rang + Counter([push.token]) == cards(stage, "ana", "ben")


def test_who_came_late_is_caught_up_and_started(stage: Stage, go_on: Any) -> None:
    kept = go_on("to_come")
    assert sorted((one["audience"], len(one["phones"])) for one in deliveries(kept)) == [("cards", 1), ("starts", 1)]

    stage.rest()

    assert heard(stage) == Counter([stage.token("ana rotated")])
    assert heard(stage, event="start") == start_tokens(stage, "ben")


def test_a_delivery_that_was_handed_on_goes_on(stage: Stage, go_on: Any) -> None:
    kept = go_on("handed_on")
    [message] = deliveries(kept)
    assert message["first"]
    assert message["hops"] == 1

    stage.rest()

    assert heard(stage) == heard(stage, 15) == cards(stage, "ana", "ben")
    row = item(stage, ORDER)
    assert row["sent_revision"] == row["revision"]


def test_a_publish_that_waited_for_the_key_keeps_its_place(stage: Stage, go_on: Any) -> None:
    kept = go_on("without_key")
    [waiting] = kept["queues"]["PublishQueue"]
    assert waiting["attributes"]["published_at_ms"]
    assert waiting["due_in_s"] > 50

    stage.rest()

    assert heard(stage) == heard(stage, 15) == cards(stage, "ana")


def test_dead_letters_can_be_redriven(stage: Stage, go_on: Any) -> None:
    kept = go_on("put_aside")
    [refused] = kept["queues"]["PublishDeadLetterQueue"]
    assert "aps.event" in refused["attributes"]["reason"]
    assert kept["queues"]["DeliveryDeadLetterQueue"]

    stage.stack.queues.redrive("PublishDeadLetterQueue", "PublishQueue")
    stage.stack.queues.redrive("DeliveryDeadLetterQueue", "DeliveryQueue")
    stage.rest()

    assert heard(stage) == Counter([stage.token("ana rotated")])
    [again] = stage.stack.queues.look("PublishDeadLetterQueue")
    assert again.body == refused["body"]
    assert again.attributes == refused["attributes"]
    assert not stage.stack.queues.look("DeliveryDeadLetterQueue")


# --- slices


def test_a_slice_whose_function_died_starts_the_rest_and_nobody_twice(stage: Stage, go_on: Any) -> None:
    kept = go_on("slices_of_starts")
    slice_ = kept_item(kept, f"lease#{MATCH}#a", "starts")
    assert slice_["cursor"]
    assert slice_["until_ms"] > kept["now_ms"]

    stage.rest()

    assert started_before(kept) + heard(stage, event="start") == start_tokens(stage, *FANS)
    for fan in FANS:
        assert stage.card(fan, MATCH) == 204
    stage.rest()
    assert not stage.pushed("update"), "its start has said all"


def test_a_slice_whose_function_died_goes_on_from_its_cursor(stage: Stage, go_on: Any) -> None:
    kept = go_on("slices_of_cards")
    cursor = kept_item(kept, f"lease#{MATCH}#a", "starts")["cursor"]
    beyond = [fan for fan in FANS if phone_of(device(fan)) > cursor]
    assert 0 < len(beyond) < len(FANS)

    stage.rest()

    assert heard(stage) == heard(stage, 15) == cards(stage, *beyond)


def test_a_lease_is_waited_for(stage: Stage, go_on: Any) -> None:
    kept = go_on("slices_of_cards")
    until_ms = kept_item(kept, f"lease#{MATCH}#a", "starts")["until_ms"]

    stage.publish(update(MATCH, 3))
    stage.rest()

    assert heard(stage) == heard(stage, 3) == cards(stage, *FANS)
    assert min(push.at_ms for push in stage.pushed()) >= until_ms


# --- channels


def test_a_channel_goes_on_and_goes_with_its_activity(stage: Stage, go_on: Any) -> None:
    kept = go_on("channels")
    known = {name: json.loads(kept_item(kept, name)["channels"]) for name in (ORDER, MATCH)}
    assert {("since_ms" in one, one["attempt"]) for one in deliveries(kept)} == {(True, 0), (False, 1)}

    stage.rest()
    stage.publish(update(MATCH, 3))
    stage.rest()

    spoken = Counter((push.channel, minutes_of(push)) for push in stage.pushed("update") if push.channel)
    assert {one["id"] for one in known[ORDER]} <= {channel for channel, minutes in spoken if minutes == 15}
    assert [spoken[one["id"], 3] for one in known[MATCH]] == [1]
    assert not [one for one in stage.stack.apns.managed if one.operation == "create"]

    stage.publish(end(ORDER))
    stage.rest()
    for seconds in (601, 3001, 601):
        stage.move(seconds)
        stage.sweep()
        stage.rest()
    there = {channel for _, channel, _ in stage.keep()["channels"]}
    assert there == {one["id"] for one in known[MATCH]}, "neither the ended order's nor the stranger's"


# --- what is kept of the previous release


def test_the_code_and_what_it_left_behind_are_of_one_commit() -> None:
    assert recorded()[0] == commit_of_archive()


def test_the_code_is_what_git_has_of_that_commit() -> None:
    commit = commit_of_archive()
    known = subprocess.run(["git", "cat-file", "-e", f"{commit}^{{commit}}"], cwd=ROOT, capture_output=True)
    if known.returncode:
        pytest.skip("a clone without that commit")

    assert files_of(archived(commit)) == files_of(lzma.decompress(ARCHIVE.read_bytes()))


def files_of(tar: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        return {one.name: found.read() for one in opened if (found := opened.extractfile(one)) is not None}


def test_every_kind_of_row_and_message_is_there() -> None:
    scenes = recorded()[1].values()
    activities = [one for kept in scenes for one in kept["ActivitiesTable"]]
    tokens = [one for kept in scenes for one in kept["TokensTable"]]
    bodies = [
        message for kept in scenes for queue in ("DeliveryQueue", "SliceQueue") for message in deliveries(kept, queue)
    ]

    names = {re.sub(r"#.*", "#", one["activity"]["S"]) for one in activities} - {ORDER, MATCH}
    assert names == {"user#", "name#", "lease#", "channels#", "seen#"}
    rows = [one for one in activities if one["part"]["S"] == "row"]
    assert {"start", "guests", "state", "alert", "end", "channels", "sweep"} <= {name for row in rows for name in row}
    assert {int(row["shards"]["N"]) for row in rows} == {1, 64}
    assert {re.sub(r"^[0-9a-f]+#", "", one["phone"]["S"]).partition("#")[0] for one in tokens} == {
        *("card", "marker", "start", "follows", "phone")
    }
    assert {"dead_token", "caught_up", "token"} <= {name for one in tokens for name in one}
    assert {name for body in bodies for name in body} == {
        *("v", "activity", "audience", "first", "last", "phones", "channels", "since_ms", "from_revision", "revision"),
        *("attempt", "hops", "forget"),
    }
    assert {queue for kept in scenes for queue in kept["queues"]} == {
        *("PublishQueue", "DeliveryQueue", "SliceQueue", "PublishDeadLetterQueue", "DeliveryDeadLetterQueue")
    }


@pytest.mark.parametrize("name", ["at_rest", "retries", "dead_tokens", "signed_out", "channels"])
def test_that_is_what_the_previous_releases_functions_leave_behind(stage: Stage, name: str) -> None:
    stage.deploy(Release.PREVIOUS)

    again = record(stage, name)

    assert without_chance(again) == without_chance(recorded()[1][name])


def without_chance(kept: Kept) -> Kept:
    """Name what is made by chance, and take out what waits a random while."""
    text = json.dumps(kept)
    for i, (_, channel, _) in enumerate(kept["channels"]):
        text = text.replace(channel, f"channel-{i}")
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "an id", text)
    text = re.sub(r'"due_in_s": \d(?=\D)', '"due_in_s": "soon"', text)
    found: Kept = json.loads(text)
    return found
