"""GET /v1/activities/{activity}: what operators are told, from a request to its answer."""

import json
import time
from typing import Any

import pytest

from lockstep.apns import Environment
from lockstep.ids import phone_of
from lockstep.inquiry import Inquiry
from lockstep.phones import Marker
from onebox import ROOT
from onebox.apns.simulator import Fault
from onebox.http_event import Request, event, match
from onebox.stack import Stack
from tests.asking import asked, explained
from tests.messages import DRIVER, end, start, update
from tests.pushing import ORDER, ask, now_ms, row, say, set_up_with, settle, started, tokens

EVENT: dict[str, Any] = json.loads((ROOT / "events" / "explain.json").read_text())


def test_who_asks_is_told_all_that_there_is(stack: Stack) -> None:
    started(stack, "ana", "ben")
    say(stack, update(minutes=5))

    answer = explained(stack)

    stored = row(stack)
    assert answer["verdict"][0] == "It should show on 2 of 2 phones."
    assert answer["verdict"][1:] == [
        f"The newest state, published {answer['state']['age_s']} s ago, has gone out to everybody."
    ]
    assert (answer["activity"], answer["run"], answer["writes"]) == (ORDER, stored.run, stored.writes)
    assert answer["life"]["running"]
    assert answer["life"]["closes_at_ms"] == answer["life"]["started_at_ms"] + 8 * 3_600_000
    assert answer["stamp"] == {"timestamp_s": stored.timestamp_s, "revision": stored.revision}
    assert answer["alert"] == {
        "published_at_ms": answer["life"]["started_at_ms"],
        "revision": 1,
        "gone_out": True,
        "rings_yet": False,
    }
    assert answer["delivery"] == {
        "revision": 2,
        "sent_revision": 2,
        "owes": False,
        "owes_starts": False,
        "set_out_at_ms": stored.delivered_at_ms,
        "due_at_ms": None,
    }
    assert answer["budget"] | {"hour_ends_in_s": 0} == {"spent": 1, "of": 15, "lowered": False, "hour_ends_in_s": 0}
    assert answer["audience"] == {"users": 2, "name": None, "guests": 2, "attributes_type": "OrderAttributes"}
    assert answer["environments"] == {"production": {"phones": 2, "should_show": 2, "cards": 2, "cards_with_token": 2}}
    assert answer["outcomes"]["cards"]["counts"] == {"Accepted": 2}
    assert answer["outcomes"]["starts"]["counts"] == {"Accepted": 2}
    assert (answer["channels"], answer["slices"], answer["cut"]) == ([], None, False)
    assert {(one["user"], one["why"]) for one in answer["phones"]} == {("ana", "shows"), ("ben", "shows")}
    assert answer["expires_at_s"] == stored.expires_at_s


def test_a_state_is_told_only_who_asks_for_it_and_a_token_nobody(stack: Stack) -> None:
    phones = started(stack, "ana")

    without, with_it = explained(stack), explained(stack, query="?state=true")

    assert "content_state" not in without["state"]
    assert without["state"] == explained(stack, query="?state=false")["state"] | {"age_s": without["state"]["age_s"]}
    assert with_it["state"]["content_state"] == {"driver": DRIVER, "minutes": 30}
    assert DRIVER not in json.dumps(without)
    stored = [item["token"]["S"] for item in stack.aws.items(stack.aws.tables["TokensTable"]) if "token" in item]
    assert len(stored) == 2
    for told in (json.dumps(without), json.dumps(with_it)):
        assert not [token for token in stored if token in told]
        # Who knew a device's id could register for it.
        assert phones[0].hardware.device not in told
    assert without["phones"][0]["phone"] == phone_of(phones[0].hardware.device)


def test_a_start_that_no_card_came_of_is_told_with_its_age(stack: Stack) -> None:
    ana, ben = (stack.phones.of(user) for user in ("ana", "ben"))
    settle(stack)
    ben.go_offline()
    say(stack, start(ORDER, "ana", "ben"))
    settle(stack)
    assert (ana.shows(ORDER), ben.shows(ORDER)) != (None, None)

    answer = explained(stack)
    assert answer["verdict"][0] == "It should show on 1 of 2 phones."
    assert answer["verdict"][1].startswith("ben's phone ")
    assert answer["verdict"][1].endswith("its app has not reported the card yet.")
    assert answer["starts_without_card"] == 1

    # Ten minutes ago, it would be another matter.
    bens = phone_of(ben.hardware.device)
    noted = Marker(ORDER, bens, "ben", row(stack).run, 1, confirmed=True)
    tokens(stack).put_markers([noted], now_s=int(time.time()), now_ms=now_ms() - 600_000)
    answer = explained(stack)
    assert (
        f"ben's phone {bens[:8]}: started 10 min ago, and no card reported. The device's budget" in answer["verdict"][1]
    )
    assert answer["phones"][0] | {"at_ms": 0} == {
        "user": "ben",
        "phone": bens,
        "environment": "production",
        "shows": False,
        "why": "started, no card",
        "at_ms": 0,
    }


def test_a_token_that_apple_called_dead_is_told(stack: Stack) -> None:
    started(stack, "ana")
    stack.apns.faults.add(Fault("answer", count=1, status=410, reason="Unregistered"))
    say(stack, update(minutes=5))

    verdict = explained(stack)["verdict"]

    assert verdict[0] == "It should show on 0 of 1 phone."
    assert "Apple called its card's token dead" in verdict[1]
    assert "1 of the last 1 pushes to cards" in verdict[3]
    assert "Unregistered" in verdict[3]


def test_phones_are_counted_by_environment_and_those_that_said_none_apart(stack: Stack) -> None:
    say(stack, update(minutes=5))
    for environment in Environment:
        card = {"card": "card-1", "activity": ORDER, "token": stack.apns.issue_token(environment)}
        ask(stack, f"device-{environment}", {"observed_at_ms": now_ms(), "environment": environment, "cards": [card]})
    ask(stack, "device-1/cards/card-1", {"activity": ORDER})

    assert explained(stack)["environments"] == {
        "production": {"phones": 1, "should_show": 1, "cards": 1, "cards_with_token": 1},
        "sandbox": {"phones": 1, "should_show": 1, "cards": 1, "cards_with_token": 1},
        "unsaid": {"phones": 1, "should_show": 0, "cards": 1, "cards_with_token": 0},
    }


def test_what_waits_for_the_pace_is_told_with_when_it_is_due(stack: Stack) -> None:
    started(stack, "ana")
    with set_up_with(stack, MIN_UPDATE_INTERVAL_S="60"):
        say(stack, update(minutes=6))
        say(stack, update(minutes=5))

        answer = explained(stack)

    assert answer["delivery"]["owes"]
    assert 50_000 < answer["delivery"]["due_at_ms"] - answer["at_ms"] <= 61_000
    assert "it waits for the pace, and sets out in" in answer["verdict"][1]


def test_a_channel_is_told(stack: Stack) -> None:
    say(stack, start("match-7", channel="frequent"))
    settle(stack)

    channels = explained(stack, "match-7")["channels"]

    assert {(one["environment"], one["storage"]) for one in channels} == {
        ("production", "frequent"),
        ("sandbox", "frequent"),
    }
    assert all(one["id"] for one in channels)


def test_an_end_is_told(stack: Stack) -> None:
    started(stack, "ana")
    say(stack, end())

    answer = explained(stack)

    assert answer["verdict"][0].startswith("It ended ")
    assert answer["verdict"][1].endswith("has gone out to everybody.")
    assert (answer["life"]["running"], answer["life"]["ended"], answer["life"]["end_said_again"]) == (False, True, 0)


def test_the_row_of_an_earlier_release_is_explained_too(stack: Stack) -> None:
    started(stack, "ana")
    stack.aws.dynamodb.update_item(
        TableName=stack.aws.tables["ActivitiesTable"],
        Key={"activity": {"S": ORDER}, "part": {"S": "row"}},
        UpdateExpression="REMOVE card_outcomes, start_outcomes",
    )

    assert explained(stack)["outcomes"] == {"cards": None, "starts": None}


# --- what is asked wrongly


@pytest.mark.parametrize(
    ("activity", "query", "status", "field"),
    [
        ("order-43", "", 404, "activity"),
        ("a*", "", 422, "activity"),
        ("a b", "", 422, "activity"),
        ("a" * 129, "", 422, "activity"),
        (ORDER, "?state=yes", 422, "state"),
        (ORDER, "?state=", 422, "state"),
    ],
)
def test_what_is_asked_wrongly_is_refused(stack: Stack, activity: str, query: str, status: int, field: str) -> None:
    answered, body = asked(stack, activity, query)

    assert (answered, body["field"]) == (status, field)


def test_what_has_expired_is_not_known(stack: Stack) -> None:
    started(stack, "ana")
    stack.aws.dynamodb.update_item(
        TableName=stack.aws.tables["ActivitiesTable"],
        Key={"activity": {"S": ORDER}, "part": {"S": "row"}},
        UpdateExpression="SET expires_at_s = :then",
        ExpressionAttributeValues={":then": {"N": str(int(time.time()) - 1)}},
    )

    assert asked(stack)[0] == 404


@pytest.mark.parametrize("authorizer", [None, {"jwt": {"claims": {"sub": "ana"}, "scopes": None}}, {"iam": {}}])
@pytest.mark.parametrize("path", [f"/v1/activities/{ORDER}", "/v1/activities/a*"])
def test_a_route_that_lost_its_authorizer_answers_nobody(
    stack: Stack, authorizer: dict[str, Any] | None, path: str
) -> None:
    context = {name: value for name, value in EVENT["requestContext"].items() if name != "authorizer"}
    context |= {"http": context["http"] | {"path": path}}
    asked_by_nobody = {**EVENT, "rawPath": path, "requestContext": context}
    if authorizer is not None:
        context["authorizer"] = authorizer

    answer = stack.functions["ExplainFunction"].invoke(asked_by_nobody)

    assert (answer["statusCode"], json.loads(answer["body"])["field"]) == (403, "caller")


def test_under_sam_local_the_local_user_may_ask(stack: Stack) -> None:
    local = stack.container("ExplainFunction", LOCAL_USER="ana", AWS_SAM_LOCAL="true")
    nobody = {**EVENT, "requestContext": {k: v for k, v in EVENT["requestContext"].items() if k != "authorizer"}}

    assert local.invoke(nobody)["statusCode"] == 404


# --- the event, and the log


def test_the_event_is_such_as_api_gateway_makes(stack: Stack) -> None:
    http = EVENT["requestContext"]["http"]
    found = match(stack.template.routes(), Request(http["method"], http["path"], list(EVENT["headers"].items()), b""))
    assert found is not None
    route, parameters = found
    made = event(
        Request("GET", http["path"], [], b""), route, parameters, {"iam": EVENT["requestContext"]["authorizer"]["iam"]}
    )

    assert (EVENT["routeKey"], EVENT["pathParameters"]) == (route.key, parameters)
    assert set(EVENT) == set(made)
    assert set(EVENT["requestContext"]) == set(made["requestContext"])
    assert stack.functions["ExplainFunction"].invoke(EVENT)["statusCode"] == 404


def test_who_asked_about_what_is_logged(stack: Stack) -> None:
    started(stack, "ana")
    log = stack.functions["ExplainFunction"].log
    log.clear()

    explained(stack, query="?state=true")

    [line] = [json.loads(one) for one in log.lines if '"answered"' in one]
    assert (line["caller"], line["activity"], line["with_state"], line["status"]) == (
        *("arn:aws:iam::123456789012:user/local", ORDER, True, 200),
    )


# --- big audiences


def inquiry(stack: Stack, rows_max: int) -> Inquiry:
    tables = stack.aws.tables
    return Inquiry(
        stack.aws.dynamodb,
        activities_table=tables["ActivitiesTable"],
        tokens_table=tables["TokensTable"],
        now=time.time,
        rows_max=rows_max,
    )


def test_an_audience_in_slices_is_told_by_its_slices_and_followers_are_found(stack: Stack) -> None:
    fans = [stack.phones.of(f"fan-{number}", follows=["team-42"]) for number in range(3)]
    settle(stack)
    with set_up_with(stack, PAGE_PHONES="2"):
        say(stack, start(ORDER) | {"to": {"audience": "team-42"}})
        before = explained(stack)
        settle(stack)

    answer = explained(stack)

    assert before["verdict"][0] == "It should show on 0 of 3 phones."
    assert [one["why"] for one in before["phones"]] == ["to be started"] * 3
    assert before["slices"] == {"slices": 16, "have_the_newest": 0, "worked_on": 0, "split_further": 0}
    assert "is going out: 0 of 16 slices have it." in before["verdict"][-1]
    assert answer["verdict"][0] == "It should show on 3 of 3 phones."
    assert answer["slices"] == {"slices": 16, "have_the_newest": 16, "worked_on": 0, "split_further": 0}
    assert answer["outcomes"]["starts"]["counts"] == {"Accepted": len(fans)}
    assert (answer["audience"]["users"], answer["audience"]["name"]) == (0, "team-42")


def test_only_so_many_rows_are_read_and_what_is_more_is_said_to_be_there(stack: Stack) -> None:
    phones = started(stack, "ana", "ben")
    soon_s = time.time() + 60

    whole, cut = (inquiry(stack, rows_max).look(ORDER, deadline_s=soon_s) for rows_max in (1_000, 2))
    late = inquiry(stack, 1_000).look(ORDER, deadline_s=time.time() - 1)

    assert whole is not None
    assert (len(whole.traces), len(whole.named), len(whole.phones), whole.cut) == (4, 2, 2, False)
    assert cut is not None
    # Of a phone whose card was not read, nobody knows whether it has one.
    first = min(phone_of(phone.hardware.device) for phone in phones)
    assert (
        {trace.row.phone for trace in cut.traces} == {token.phone for token in cut.named} == set(cut.phones) == {first}
    )
    assert (len(cut.traces), cut.cut) == (2, True)
    assert late is not None
    assert (late.traces, late.named, late.phones, late.cut) == ((), (), {}, True)
