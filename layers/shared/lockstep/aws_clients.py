"""boto3 clients as the functions want them: that give up in time, and do not look at each attribute of an answer twice."""

import json
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 2, 5

# What is asked of AWS is checked by mypy, and by AWS; botocore would look at each key of each batch once more. And it
# would put a User-Agent together out of fifteen parts, twice for each call, if none were given.
CONFIG = Config(
    user_agent="lockstep",
    connect_timeout=CONNECT_TIMEOUT_S,
    read_timeout=READ_TIMEOUT_S,
    retries={"mode": "standard", "max_attempts": 3},
    parameter_validation=False,
)


def dynamodb_client() -> "DynamoDBClient":
    """
    Make a client for DynamoDB.

    botocore writes a request and reads an answer by their models, attribute by attribute: most of the CPU that a push
    cost. But both are on the wire as boto3 has them, but for binary attributes, which no table of ours has. So they are
    written and read as JSON, by events of botocore's own. A botocore without the last of them would only be slower; one
    without the second would write empty batches, and tests/test_aws_clients.py fail.
    """
    client = boto3.client("dynamodb", config=CONFIG)
    events = client.meta.events
    for operation in ("BatchGetItem", "BatchWriteItem"):
        events.register(f"provide-client-params.dynamodb.{operation}", _put_aside)  # type: ignore[arg-type]  # what a handler returns is used
        events.register(f"before-call.dynamodb.{operation}", _write_as_json)
    events.register("before-parse.dynamodb", _read_as_json)
    return client


def _put_aside(params: dict[str, Any], context: dict[str, Any], **_: object) -> dict[str, Any]:
    """Leave botocore nothing to write but the names of the tables, by which it finds the endpoint."""
    context["asked"] = params
    return {**params, "RequestItems": {table: type(asked)() for table, asked in params["RequestItems"].items()}}


def _write_as_json(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    params["body"] = json.dumps(context["asked"], separators=(",", ":")).encode()


def _read_as_json(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    if response_dict["status_code"] == 200:
        customized_response_dict.update(json.loads(response_dict["body"]))
        response_dict["body"] = b"{}"
