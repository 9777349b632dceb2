"""
Roles and policies: nobody checks them on one machine, so what is missing would only show in somebody's account.

Which calls the functions make, all tests together, is held against the roles at the end of a whole run (tests/recording.py).
"""

import re
from pathlib import Path
from typing import Any

import pytest

from onebox import ROOT
from onebox.aws import EVENT_BUS
from tests.recording import Told
from tests.roles import PRODUCERS, Call, Site, allowed, calls_of, listed, missing, sites, statements, to_spare
from tests.template import TEMPLATE, TEXT, named, properties


def all_statements() -> list[tuple[str, dict[str, Any]]]:
    """Return the statements of all policies, each with the resource that holds it."""
    policies = properties("AWS::SQS::QueuePolicy").items()
    return [*statements(), *((name, one) for name, policy in policies for one in policy["PolicyDocument"]["Statement"])]


def test_no_permission_is_for_everything() -> None:
    for holder, statement in all_statements():
        assert not any("*" in str(one) for part in ("Action", "Resource") for one in listed(statement[part])), holder


def test_every_function_has_a_role_of_its_own() -> None:
    assert {name: named(one["Role"]) for name, one in properties("AWS::Lambda::Function").items()} == {
        "RegisterFunction": "RegisterRole",
        "ExplainFunction": "ExplainRole",
        "PushFunction": "PushRole",
        "SweepFunction": "SweepRole",
    }
    assert all("ManagedPolicyArns" not in role for role in properties("AWS::IAM::Role").values())


def test_every_permission_says_what_it_is_for() -> None:
    policies = re.findall(r"^ *# (.*)\n *- Effect: Allow\n", TEXT, re.MULTILINE)

    assert len(policies) == len(all_statements())


def test_only_a_stack_with_an_event_bus_may_tell_one_and_that_one_alone() -> None:
    bus = {"Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/${EventBusName}"}
    roles = properties("AWS::IAM::Role").items()
    given = {role: [one for one in said["Policies"] if "Fn::If" in one] for role, said in roles}

    assert {role: len(policies) for role, policies in given.items()} == {
        "RegisterRole": 1,
        "PushRole": 1,
        "SweepRole": 0,
        "ExplainRole": 0,
    }
    for condition, policy, otherwise in (one["Fn::If"] for policies in given.values() for one in policies):
        assert (condition, otherwise) == ("HasEventBus", {"Ref": "AWS::NoValue"})
        [statement] = policy["PolicyDocument"]["Statement"]
        assert (statement["Action"], statement["Resource"]) == ("events:PutEvents", bus)
    assert TEMPLATE.conditions["HasEventBus"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "EventBusName"}, ""]}]}
    assert TEMPLATE.parameters["EventBusName"]["Default"] == ""
    elsewhere = [one for _, one in all_statements() if "events:PutEvents" in listed(one["Action"])]
    assert len(elsewhere) == 2, "those two"


def test_who_explains_may_only_read() -> None:
    reads = {"dynamodb:BatchGetItem", "dynamodb:Query"}
    its_log = {"logs:CreateLogStream", "logs:PutLogEvents"}

    assert {one.action for one in allowed() if one.function == "ExplainFunction"} == reads | its_log


# --- calls and permissions, in the same words


@pytest.mark.parametrize(
    ("service", "operation", "request_", "wanted"),
    [
        ("dynamodb", "UpdateItem", {"TableName": "lockstep-1-TokensTable-X1"}, "dynamodb:UpdateItem TokensTable"),
        (
            "dynamodb",
            "Query",
            {"TableName": "a-TokensTable-b", "IndexName": "ByOwner"},
            "dynamodb:Query TokensTable/index/ByOwner",
        ),
        (
            "dynamodb",
            "BatchGetItem",
            {"RequestItems": {"a-ActivitiesTable-b": {}}},
            "dynamodb:BatchGetItem ActivitiesTable",
        ),
        (
            "sqs",
            "SendMessageBatch",
            {"QueueUrl": "http://127.0.0.1:1/123/DeliveryDeadLetterQueue"},
            "sqs:SendMessage DeliveryDeadLetterQueue",
        ),
        (
            "secretsmanager",
            "GetSecretValue",
            {"SecretId": "arn:aws:secretsmanager:us-east-1:123:secret:lockstep-1-SigningKey-Ab"},
            "secretsmanager:GetSecretValue SigningKey",
        ),
        (
            "sqs",
            "SendMessage",
            {"QueueUrl": "https://elsewhere/123/Orders"},
            "sqs:SendMessage https://elsewhere/123/Orders",
        ),
        (
            "events",
            "PutEvents",
            {"Entries": [{"EventBusName": EVENT_BUS}, {"EventBusName": EVENT_BUS}]},
            "events:PutEvents EventBusName",
        ),
        ("events", "PutEvents", {"Entries": [{"EventBusName": "another"}]}, "events:PutEvents another"),
        ("dynamodb", "ListTables", {}, "dynamodb:ListTables "),
    ],
)
def test_a_call_is_what_iam_would_ask_about(service: str, operation: str, request_: Any, wanted: str) -> None:
    [call] = calls_of("F", service, operation, request_)

    assert f"{call.action} {call.resource}" == wanted


def test_a_permission_is_read_from_the_template_in_the_same_words() -> None:
    permissions = allowed()

    assert Call("RegisterFunction", "dynamodb:Query", "TokensTable/index/ByOwner") in permissions
    assert Call("PushFunction", "sqs:SendMessage", "SliceDeadLetterQueue") in permissions
    assert Call("SweepFunction", "secretsmanager:GetSecretValue", "SigningKey") in permissions
    assert not [one for one in permissions if one.function == "SweepFunction" and "Tokens" in one.resource]


# --- what is wrong with roles

READS, WRITES = (Call("PushFunction", f"dynamodb:{what}Item", "TokensTable") for what in ("Get", "Put"))


def test_a_call_that_no_permission_covers_is_missing_one() -> None:
    assert missing({READS, WRITES}, {READS}) == {WRITES}
    assert missing({READS}, {READS, WRITES}) == set()
    assert missing({READS}, {READS._replace(function="SweepFunction")}) == {READS}
    assert missing({READS}, {READS._replace(resource="TokensTable/index/ByOwner")}) == {READS}


def test_a_permission_that_no_call_used_is_to_spare_but_for_those_that_lambda_needs() -> None:
    polls = Call("PushFunction", "sqs:ReceiveMessage", "PublishQueue")

    assert to_spare({READS}, {READS, WRITES, polls}) == {WRITES}
    assert to_spare({READS, WRITES}, {READS, WRITES}) == set()


def test_where_the_package_calls_a_client_is_found_with_the_method_that_does(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(
        "def page(client): return client.query()\n"
        "class Table:\n"
        "    def put(self):\n"
        "        if self._client.exceptions: self._client.put_item()\n"
        "    def none(self): return self._client.exceptions.Conflict()\n"
    )

    assert sites(tmp_path) == {Site("one", "page"), Site("one", "Table.put")}
    assert Site("queues", "SourceQueue.dead_letter") in sites()


def test_no_function_imports_what_is_the_producers() -> None:
    code = [*(ROOT / "layers" / "shared" / "lockstep").glob("*.py"), *(ROOT / "functions").glob("*.py")]
    theirs = PRODUCERS | {"publish"}
    importing = re.compile(rf"lockstep(?:\.| import )(?:{'|'.join(theirs)})\b")

    assert {path.stem for path in code if importing.search(path.read_text())} == {"publish"}


PLACE = Site("tokens", "Tokens.put")


def test_less_than_a_whole_run_tells_only_of_what_is_missing() -> None:
    told = Told({WRITES: "a test"}, whole=False)

    assert list(told.wrong(permissions={READS}, places={PLACE})) == [
        "PushFunction may not dynamodb:PutItem on TokensTable: a test"
    ]


def test_a_whole_run_tells_of_permissions_and_of_calls_in_the_code_that_nothing_came_to() -> None:
    told = Told({READS: "a test"})

    assert list(told.wrong(permissions={READS, WRITES}, places={PLACE})) == [
        "PushFunction may dynamodb:PutItem on TokensTable, and never did",
        "tokens.Tokens.put calls AWS, and no function came there",
    ]
    assert list(told.wrong(permissions={READS}, places=set())) == []


def test_what_processes_saw_adds_up_and_a_part_makes_no_whole() -> None:
    told = Told({READS: "one"}, {PLACE}, [], 3)

    told.add(Told.from_text(Told({READS: "two", WRITES: "two"}, set(), ["leak"], 4, whole=False).to_text()))

    assert told == Told({READS: "one", WRITES: "two"}, {PLACE}, ["leak"], 7, whole=False)
