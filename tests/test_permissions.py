"""Roles and policies: nobody checks them on one machine, so what is missing would only show in somebody's account."""

import re
from collections.abc import Iterator
from typing import Any

import botocore.session

from onebox import ROOT
from tests.template import TEXT, named, properties

# What Lambda itself does with a function's role, where its code calls nothing.
POLLING = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
LOGGING = {"logs:CreateLogStream", "logs:PutLogEvents"}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the statements of all policies, each with the resource that holds it."""
    for name, role in properties("AWS::IAM::Role").items():
        for policy in role["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement
    for name, policy in properties("AWS::SQS::QueuePolicy").items():
        for statement in policy["PolicyDocument"]["Statement"]:
            yield name, statement


def test_no_permission_is_for_everything() -> None:
    for holder, statement in statements():
        for resource in listed(statement["Resource"]):
            assert resource != "*", holder
            # The only names that are open at their end are a table's indexes.
            assert "*" not in str(resource) or resource == {"Fn::Sub": "${TokensTable.Arn}/index/*"}, holder
        assert not any("*" in action for action in listed(statement["Action"])), holder


def test_every_function_has_a_role_of_its_own() -> None:
    assert {name: named(one["Role"]) for name, one in properties("AWS::Lambda::Function").items()} == {
        "RegisterFunction": "RegisterRole",
        "PushFunction": "PushRole",
    }
    assert all("ManagedPolicyArns" not in role for role in properties("AWS::IAM::Role").values())


def test_every_permission_says_what_it_is_for() -> None:
    policies = re.findall(r"^ *# (.*)\n *- Effect: Allow\n", TEXT, re.MULTILINE)

    assert len(policies) == len(list(statements()))


def calls_of_the_code() -> set[str]:
    """Return the IAM actions behind every call of a boto3 client in the package."""
    code = "\n".join(path.read_text() for path in (ROOT / "layers/shared/lockstep").glob("*.py"))
    called = set(re.findall(r'client\.(?:get_paginator\(")?(\w+)\W', code)) - {"get_paginator"}
    session = botocore.session.get_session()
    actions = {
        f"{service}:{operation}"
        for service in ("dynamodb", "sqs")
        for operation in session.get_service_model(service).operation_names
        if botocore.xform_name(operation) in called
    }
    # IAM knows batches of SQS by the name of the single call. Powertools reads the secret.
    return {action.removesuffix("Batch") if action.startswith("sqs:") else action for action in actions} | {
        "secretsmanager:GetSecretValue"
    }


def test_roles_allow_what_the_code_calls_and_nothing_else() -> None:
    allowed = {
        action
        for holder, statement in statements()
        if holder in properties("AWS::IAM::Role")
        for action in listed(statement["Action"])
    }

    assert allowed - POLLING - LOGGING == calls_of_the_code()
