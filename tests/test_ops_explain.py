"""`make explain`, as an operator runs it: against a deployed stack's outputs, and against `make up`."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from onebox import ROOT
from onebox.aws import ENVIRONMENT
from onebox.environment import variables
from onebox.http_event import Response
from onebox.http_server import HttpServer
from onebox.stack import Stack
from ops import explain
from ops.facts import told
from ops.stack import output
from tests.asking import explained
from tests.messages import DRIVER, end, start, update
from tests.pushing import ORDER, say, set_up_with, started


@pytest.fixture
def account(stack: Stack) -> Iterator[Stack]:
    """Let boto3 find the account on this machine, and in it a stack with the output of ours."""
    client = boto3.client("cloudformation", endpoint_url=stack.aws.url, region_name="us-east-1")
    template = {
        "Resources": {"Nothing": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {"ApiUrl": {"Value": stack.api.url}},
    }
    with variables({**ENVIRONMENT, "AWS_ENDPOINT_URL": stack.aws.url}):
        client.create_stack(StackName="lockstep", TemplateBody=json.dumps(template))
        yield stack
        client.delete_stack(StackName="lockstep")


@pytest.fixture
def endpoints(stack: Stack, tmp_path: Path) -> Path:
    """Write where a stack is, as `make up` does."""
    path = tmp_path / "endpoints.json"
    path.write_text(json.dumps(stack.endpoints()))
    return path


def run(*arguments: str) -> int:
    return explain.main(["--activity", ORDER, *arguments])


# --- what a person reads


def test_the_verdict_comes_first_and_then_the_facts(account: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    started(account, "ana", "ben")

    assert run("--stack", "lockstep") == 0

    verdict, facts = capsys.readouterr().out.split("\n\n")
    assert verdict.splitlines()[:2] == ["Asked lockstep (us-east-1)", "It should show on 2 of 2 phones."]
    labelled = {line[:20].rstrip(): line[20:] for line in facts.splitlines()}
    assert list(labelled) == [
        *("activity", "started", "closes", "state", "stamp", "alert", "revision", "last delivery", "to", "guests"),
        *(
            "phones, production",
            "without a card",
            "last pushes",
            "last starts",
            "budget",
            "pace",
            "due",
            "channels",
            "row",
        ),
    ]
    assert labelled["activity"].startswith("order-42, run 1")
    assert labelled["revision"] == "1, everybody has 1"
    assert labelled["to"] == "2 users (OrderAttributes)"
    assert labelled["phones, production"] == "2, 2 of them should show it; 2 cards, 2 with a token"
    assert re.fullmatch(r"2 Accepted \(revision 1, \d+ s ago\)", labelled["last starts"])
    assert labelled["budget"].startswith("0 of 15 silent updates with priority 10, for another ")
    assert labelled["pace"] == "a silent update every 0 s; the next may go at once"
    assert labelled["due"] == "nothing"


def test_a_state_is_printed_where_it_is_asked_for(account: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    started(account, "ana")

    assert run("--stack", "lockstep") == 0
    assert DRIVER not in capsys.readouterr().out
    assert run("--stack", "lockstep", "--state") == 0
    assert f'"driver": "{DRIVER}"' in capsys.readouterr().out


def test_json_is_the_answer_as_it_came(account: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    started(account, "ana")

    assert run("--stack", "lockstep", "--json") == 0

    printed = capsys.readouterr()
    answer = json.loads(printed.out)
    assert answer.keys() == explained(account).keys()
    assert printed.err == "Asked lockstep (us-east-1)\n"
    assert answer["verdict"][0] == "It should show on 1 of 1 phone."


def test_without_a_stack_the_one_on_this_machine_is_asked_whoever_one_is_to_aws(
    stack: Stack, endpoints: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started(stack, "ana")
    with variables({**ENVIRONMENT, "AWS_ACCESS_KEY_ID": "AKIA0", "AWS_DEFAULT_REGION": "eu-central-1"}):
        assert run("--endpoints", str(endpoints)) == 0

    assert capsys.readouterr().out.startswith(
        "Asked the stack on this machine (a deployed one is asked by STACK=…)\nIt should show on 1 of 1 phone."
    )


def test_an_id_with_all_that_ids_may_have_is_asked_about(
    stack: Stack, endpoints: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "Order.42_a:b@c-d"
    say(stack, update(name))

    assert explain.main(["--endpoints", str(endpoints), "--activity", name, "--state"]) == 0
    assert f"{name}, run " in capsys.readouterr().out


def lines(answer: dict[str, Any]) -> str:
    return "\n".join(told(answer))


def test_facts_of_all_kinds_are_said(stack: Stack) -> None:
    say(stack, update(minutes=3, aps={"stale-date": 1_800_000_000}))
    opened = lines(explained(stack))
    say(stack, start(channel="latest"))
    with set_up_with(stack, MIN_UPDATE_INTERVAL_S="60", PAGE_PHONES="1"):
        say(stack, update(minutes=2))
        paced = lines(explained(stack))
    say(stack, end())
    ended = lines(explained(stack))

    assert "started             by no start of ours: the app makes its cards" in opened
    assert "to                  nobody by push (no attributes type)" in opened
    assert "guests              none named" in opened
    assert "phones              none" in opened
    assert ", stale-date 2027-01-15 08:00:00 UTC" in opened
    assert "channels            none" in opened
    assert re.search(r"^channels            production \S+ \(latest, run \d+\)\n {20}sandbox ", paced, re.MULTILINE)
    assert re.search(r"^due                 a delivery, in \d+\.\d s$", paced, re.MULTILINE)
    assert "revision            3, everybody has 2, owed" in paced
    assert re.search(r"^ended               \S+ \S+ UTC, \d+ s ago$", ended, re.MULTILINE)


def test_an_answer_that_was_cut_short_says_at_least(stack: Stack) -> None:
    started(stack, "ana")
    answer = explained(stack)
    slices = {"slices": 16, "have_the_newest": 3, "worked_on": 2, "split_further": 1}

    text = lines({**answer, "cut": True, "slices": slices, "budget": {**answer["budget"], "lowered": True}})

    assert "phones, production  at least 1, 1 of them should show it" in text
    assert "slices              3 of 16 have the newest state, 2 are worked on, 1 are split further" in text
    assert "; further ones go out with 5" in text


# --- what there is no answer to


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(*arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("make explain: ")
    return printed.err.removeprefix("make explain: ")


def test_a_stack_that_is_not_there_is_said_so(account: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert fails(capsys, "--stack", "no-such").startswith("STACK: no-such is not in this account and us-east-1.")


def test_a_stack_that_may_not_be_looked_up_is_not_called_missing() -> None:
    client = boto3.client("cloudformation", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stub:
        stub.add_client_error(
            "describe_stacks", "AccessDenied", "not authorized to perform: cloudformation:DescribeStacks"
        )
        with pytest.raises(ClientError, match="not authorized"):
            output(client, "lockstep", "ApiUrl")


def test_an_activity_that_is_not_there_is_said_so(account: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    said = fails(capsys, "--stack", "lockstep")

    assert said == "lockstep has no activity order-42: it is not known: never published, or gone for a day or more\n"


def test_who_may_not_ask_is_told_what_it_takes(account: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    with variables({"AWS_SECRET_ACCESS_KEY": "wrong"}):
        said = fails(capsys, "--stack", "lockstep")

    assert said.startswith(
        "lockstep lets you not ask (403 Forbidden). The key local needs execute-api:Invoke on arn:aws:"
    )
    assert "/*/GET/v1/activities/*, and this machine's clock must be right to 5 minutes" in said
    assert "wrong" not in said


def test_who_has_no_credentials_is_told_so(account: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    with variables({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}):
        assert fails(capsys, "--stack", "lockstep").startswith("No AWS credentials: ")


@pytest.mark.parametrize("content", [None, "", "[]", "{}"])
def test_without_a_stack_and_without_make_up_both_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    path = tmp_path / "endpoints.json"
    if content is not None:
        path.write_text(content)

    assert fails(capsys, "--endpoints", str(path)).startswith(
        "STACK: names the stack to ask; without it `make up` must run here"
    )


@pytest.mark.parametrize("activity", ["", "order/42", "a" * 129])
def test_what_is_no_id_is_not_asked_about(capsys: pytest.CaptureFixture[str], activity: str) -> None:
    assert explain.main(["--activity", activity]) == 1
    assert capsys.readouterr().err.startswith("make explain: ACTIVITY: ")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Response(404, [], b'{"message": "Not Found"}'), "is of a release before this one, which has no such route"),
        (
            Response(500, [], b'{"message": "Internal Server Error"}'),
            "failed to answer (500 Internal Server Error): look at",
        ),
        (Response(503, [], b"[]"), "failed to answer (503 )"),
        (Response(429, [], b'{"message": "Too Many Requests"}'), "Too Many Requests"),
        (Response(200, [], b"<html>"), "is no Lockstep: it answered 200, and no JSON"),
    ],
    ids=["an older release", "failed", "unavailable", "throttled", "another server"],
)
def test_another_answer_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: Response, words: str
) -> None:
    server = HttpServer(lambda _: answer, name="another")
    server.start()
    path = tmp_path / "endpoints.json"
    path.write_text(json.dumps({"api": server.url}))
    try:
        assert words in fails(capsys, "--endpoints", str(path))
    finally:
        server.stop()


def test_where_nobody_listens_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "endpoints.json"
    path.write_text('{"api": "http://127.0.0.1:1"}')

    assert "can't be reached at http://127.0.0.1:1" in fails(capsys, "--endpoints", str(path))


# --- make


def test_make_passes_on_what_it_is_given() -> None:
    words = ["make", "-n", "explain", "STACK=lockstep", "ACTIVITY=order-42", "STATE=1", "JSON=1"]
    said = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    assert '-m ops.explain --stack "lockstep" --activity "order-42" --state --json' in said
