"""What the template's roles allow, and what is wrong with that, seen from the calls that functions made."""

import ast
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from onebox import ROOT
from onebox.aws import EVENT_BUS
from tests.template import TEMPLATE, named, properties

PACKAGE = ROOT / "layers" / "shared" / "lockstep"

# What Lambda does in a function's name, where the function's code calls nothing.
BY_LAMBDA = {
    "sqs:ReceiveMessage": "Lambda polls the queue",
    "sqs:DeleteMessage": "Lambda deletes what the function did not call failed",
    "sqs:GetQueueAttributes": "Lambda asks how much there is, to scale by it",
    "logs:CreateLogStream": "Lambda writes what the function prints",
    "logs:PutLogEvents": "the same",
}

# Each resource that a call can be about is of one of these types, and named for its logical id on one machine.
_NAMED = ("AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::SecretsManager::Secret")


class Call(NamedTuple):
    """
    An IAM action of a function on a resource.

    `TokensTable`, `TokensTable/index/ByOwner`, `PublishQueue`, `SigningKey`, or `EventBusName` for the bus of that name.
    """

    function: str
    action: str
    resource: str


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the statements of all roles, each with its role."""
    for name, role in properties("AWS::IAM::Role").items():
        for policy in map(_given, role["Policies"]):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement


def _given(policy: Any) -> Any:
    """A policy under a condition counts as if that were so: tests are of a stack that has everything."""
    return policy["Fn::If"][1] if "Fn::If" in policy else policy


def allowed() -> set[Call]:
    """Return what the functions may do."""
    roles = {named(one["Role"]): name for name, one in properties("AWS::Lambda::Function").items()}
    return {
        Call(roles[role], action, _resource(resource))
        for role, statement in statements()
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def _resource(expression: Any) -> str:
    match expression:
        case {"Fn::Sub": str(text)}:
            if ":event-bus/" in text:
                # arn:…:event-bus/${EventBusName}
                return text.partition(":event-bus/${")[2].removesuffix("}")
            # ${TokensTable.Arn}/index/ByOwner
            return text.removeprefix("${").replace(".Arn}", "")
    return named(expression)


def calls_of(function: str, service: str, operation: str, request: Mapping[str, Any]) -> Iterator[Call]:
    """Yield what IAM asks about a call of a boto3 client: one question for each resource."""
    # IAM knows batches of SQS by the name of the single call.
    action = f"{service}:{operation.removesuffix('Batch') if service == 'sqs' else operation}"
    about = [request[name] for name in ("TableName", "QueueUrl", "SecretId") if name in request]
    about += dict.fromkeys(entry["EventBusName"] for entry in request.get("Entries", ()) if service == "events")
    for name in about or request.get("RequestItems", [""]):
        resource = _logical_id(name)
        yield Call(function, action, f"{resource}/index/{request['IndexName']}" if "IndexName" in request else resource)


def _logical_id(name: str) -> str:
    """Return the logical id behind a name, ARN or URL; the name itself where it is nobody's of the template."""
    if name == EVENT_BUS:
        return "EventBusName"
    parts = set(name.replace("/", "-").replace(":", "-").split("-"))
    found = parts & set(TEMPLATE.of_type(*_NAMED))
    return found.pop() if len(found) == 1 else name


def missing(calls: Collection[Call], permissions: Collection[Call]) -> set[Call]:
    """Return the calls that would be refused in an account."""
    return set(calls) - set(permissions)


def to_spare(calls: Collection[Call], permissions: Collection[Call]) -> set[Call]:
    """Return the permissions that no call needed. Of a whole run of the tests only does that mean anything."""
    return {one for one in set(permissions) - set(calls) if one.action not in BY_LAMBDA}


class Site(NamedTuple):
    """Where the package calls a boto3 client: a module and a function or method of it."""

    module: str
    function: str


# Producers' own, which has the client and the rights that they give it; no function imports it (tests/test_permissions.py).
PRODUCERS = frozenset({"publisher"})


def sites(package: Path = PACKAGE) -> set[Site]:
    """
    Return every place of the package where functions may call a client.

    A run tells what functions called, not what they may yet call: a place that no function came to in any test may need
    a permission that nobody knows of.
    """
    modules = (path for path in package.glob("*.py") if path.stem not in PRODUCERS)
    return {site for path in modules for site in _sites(path.stem, ast.parse(path.read_text()), "")}


def _sites(module: str, node: ast.AST, within: str) -> Iterator[Site]:
    for child in ast.iter_child_nodes(node):
        name = within
        if isinstance(child, ast.ClassDef | ast.FunctionDef):
            name = f"{within}.{child.name}" if within else child.name
        match child:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="client") | ast.Attribute(attr="_client"))):
                yield Site(module, within)
        yield from _sites(module, child, name)
