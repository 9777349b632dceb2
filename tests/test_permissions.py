"""Roles and policies: nobody checks them on one machine, so what is missing would only show in somebody's account."""

import ast
import re
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest

from onebox import ROOT
from tests.template import TEMPLATE, TEXT, named, properties

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


INDEXES = [{"Fn::Sub": f"${{{table}.Arn}}/index/*"} for table in ("TokensTable", "ActivitiesTable")]


def test_no_permission_is_for_everything() -> None:
    for holder, statement in statements():
        for resource in listed(statement["Resource"]):
            assert resource != "*", holder
            # The only names that are open at their end are a table's indexes.
            assert "*" not in str(resource) or resource in INDEXES, holder
        assert not any("*" in action for action in listed(statement["Action"])), holder


def test_every_function_has_a_role_of_its_own() -> None:
    assert {name: named(one["Role"]) for name, one in properties("AWS::Lambda::Function").items()} == {
        "RegisterFunction": "RegisterRole",
        "PushFunction": "PushRole",
        "SweepFunction": "SweepRole",
    }
    assert all("ManagedPolicyArns" not in role for role in properties("AWS::IAM::Role").values())


def test_every_permission_says_what_it_is_for() -> None:
    policies = re.findall(r"^ *# (.*)\n *- Effect: Allow\n", TEXT, re.MULTILINE)

    assert len(policies) == len(list(statements()))


# --- what a role allows, held against what its function's code calls

PACKAGE = ROOT / "layers" / "shared" / "lockstep"

# Which table stands behind which class, and what the code calls the class's instance.
TABLES = {
    "activities": "ActivitiesTable",
    "slices": "ActivitiesTable",
    "made_channels": "ActivitiesTable",
    "tokens": "TokensTable",
    "followers": "TokensTable",
}

# The module of a class whose instance is called otherwise.
MODULES = {"slices": "slice_items", "made_channels": "channel_items"}

# Calls made for these classes by dynamodb.py, which test_dynamodb.py is about.
HELPERS = {
    "get_batch": "batch_get_item",
    "read_page": "query",
    "query_pages": "query",
    "write_batch": "batch_write_item",
}


def modules_of(function: str) -> set[str]:
    """Return the modules of the package that importing a function's file imports."""
    found: set[str] = set()
    paths = [ROOT / "functions" / f"{function}.py"]
    while paths:
        for node in ast.walk(ast.parse(paths.pop().read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "lockstep":
                names = [alias.name for alias in node.names] if node.module == "lockstep" else [node.module or ""]
                new = {name.removeprefix("lockstep.") for name in names} - found
                found |= new
                paths += [PACKAGE / f"{name}.py" for name in new]
    return found


def module_of(instance: str) -> str:
    """Return the module that knows the items behind an instance."""
    return MODULES.get(instance, instance)


def methods_of(module: str) -> dict[str, str]:
    """Return the code of every method in a module."""
    tree = ast.parse((PACKAGE / f"{module}.py").read_text())
    return {
        method.name: ast.unparse(method)
        for one in tree.body
        if isinstance(one, ast.ClassDef)
        for method in one.body
        if isinstance(method, ast.FunctionDef)
    }


def called_on(instance: str, modules: set[str]) -> set[str]:
    """Return the methods that these modules call on a table's instance, and those that these call in turn."""
    code = "\n".join((PACKAGE / f"{module}.py").read_text() for module in modules - set(map(module_of, TABLES)))
    methods = methods_of(module_of(instance))
    found: set[str] = set()
    new = set(re.findall(rf"\b_?{instance}\.(\w+)\(", code))
    while new:
        found |= new
        new = {name for method in new for name in re.findall(r"\bself\.(\w+)\(", methods[method])} - found
    return found


def action(service: str, method: str) -> str:
    """Return the IAM action of a boto3 client's method."""
    operations = botocore.session.get_session().get_service_model(service).operation_names
    [operation] = [operation for operation in operations if botocore.xform_name(operation) == method]
    # IAM knows batches of SQS by the name of the single call.
    return f"{service}:{operation.removesuffix('Batch') if service == 'sqs' else operation}"


def calls_to_tables(function: str) -> set[tuple[str, str]]:
    """Return the IAM actions behind every call to DynamoDB that a function can make, each with what it is about."""
    calls = set()
    for instance, table in TABLES.items():
        methods = methods_of(module_of(instance))
        for method in called_on(instance, modules_of(function)):
            code = methods[method]
            about = f"{table}/index" if "IndexName" in code else table
            made = set(re.findall(r"_client\.(\w+)\(", code))
            made |= {call for helper, call in HELPERS.items() if f"{helper}(" in code}
            calls |= {(action("dynamodb", call), about) for call in made}
    return calls


def other_calls(function: str) -> set[str]:
    """Return the IAM actions behind the calls to SQS and Secrets Manager that a function can make."""
    wiring = (ROOT / "functions" / f"{function}.py").read_text()
    tree = ast.parse((PACKAGE / "queues.py").read_text())
    queues = "\n".join(
        ast.unparse(one) for one in tree.body if isinstance(one, ast.ClassDef) and f"{one.name}(" in wiring
    )
    actions = {action("sqs", call) for call in re.findall(r"_client\.(\w+)\(", queues)}
    # Powertools makes that call.
    return actions | ({"secretsmanager:GetSecretValue"} if "KeySource(" in wiring else set())


def allowed(function: str) -> set[tuple[str, str]]:
    """Return what a function's role allows, each action with each thing it is allowed on."""
    return {
        (one, resource["Fn::Sub"][2:].partition(".")[0] + "/index" if "Fn::Sub" in resource else named(resource))
        for holder, statement in statements()
        if holder == f"{function.capitalize()}Role"
        for one in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


@pytest.mark.parametrize("function", ["register", "push", "sweep"])
def test_a_role_allows_on_each_table_what_its_function_calls_and_nothing_else(function: str) -> None:
    assert {one for one in allowed(function) if one[0].startswith("dynamodb:")} == calls_to_tables(function)


@pytest.mark.parametrize("function", ["register", "push", "sweep"])
def test_a_role_allows_of_other_services_what_its_function_calls_and_nothing_else(function: str) -> None:
    actions = {one for one, _ in allowed(function) if not one.startswith("dynamodb:")}
    fed = any(source.function == f"{function.capitalize()}Function" for source in TEMPLATE.queue_sources())

    assert actions == other_calls(function) | LOGGING | (POLLING if fed else set())


@pytest.mark.parametrize("module", sorted(path.stem for path in PACKAGE.glob("*.py")))
def test_only_modules_that_are_looked_at_here_call_aws(module: str) -> None:
    calls = re.findall(r"\bclient\.\w+\(", (PACKAGE / f"{module}.py").read_text().replace("_client", "client"))

    assert not calls or module in {*map(module_of, TABLES), "dynamodb", "queues"}


def test_the_helpers_of_both_tables_make_the_calls_that_are_said_here() -> None:
    code = (PACKAGE / "dynamodb.py").read_text()

    called = set(re.findall(r'client\.(?:get_paginator\(")?(\w+)\W', code)) - {"get_paginator"}
    assert called == set(HELPERS.values())
