"""AWS on this machine: moto, with the tables, queues and secret of the template."""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import batched
from typing import TYPE_CHECKING, Any

from onebox.environment import variables
from onebox.moto_server import MotoServer
from onebox.template import Template

# After moto, on purpose.
import boto3  # isort: skip
from botocore.config import Config  # isort: skip

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

REGION = "us-east-1"

# What boto3 needs to be content; nobody checks the credentials here.
ENVIRONMENT: Mapping[str, str | None] = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    # Nothing of the person's own may lead a client to a real account.
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_PROFILE": None,
    "AWS_SESSION_TOKEN": None,
}

# The access keys that there are, as IAM would know them.
SECRETS: Mapping[str, str] = {"local": "local"}

# What moto's CloudFormation makes of a template.
_MADE_BY_CLOUDFORMATION = ("AWS::DynamoDB::Table", "AWS::SQS::Queue")
_SECRET = "AWS::SecretsManager::Secret"  # noqa: S105 a resource type
# What DynamoDB takes in one BatchWriteItem.
_WRITE_MAX = 25

# The bus that functions may tell of outcomes, and the queue in which a rule keeps what they told.
EVENT_BUS = "outcomes"
EVENTS_QUEUE = "OutcomeEvents"

_QUEUE_POLICY = "AWS::SQS::QueuePolicy"


class LocalAws:
    """
    moto and what the template wants of it.

    Args:
        also_on: Addresses beside the loopback on which it listens, on the same port.
    """

    def __init__(self, port: int = 0, also_on: Sequence[str] = ()) -> None:
        self._server = MotoServer(port, also_on)
        self.url = self._server.url
        # moto keeps one account per process: two stacks in it must not have one name.
        self._stack_name = f"lockstep-{self.url.rpartition(':')[2]}"
        with variables(ENVIRONMENT):
            session = boto3.Session()
            config = Config(retries={"mode": "standard", "max_attempts": 2}, max_pool_connections=50)
            self.dynamodb: DynamoDBClient = session.client("dynamodb", endpoint_url=self.url, config=config)
            self.sqs: SQSClient = session.client("sqs", endpoint_url=self.url, config=config)
            self.events: EventBridgeClient = session.client("events", endpoint_url=self.url, config=config)
            self.secrets: SecretsManagerClient = session.client("secretsmanager", endpoint_url=self.url, config=config)
            self._cloudformation: CloudFormationClient = session.client(
                "cloudformation", endpoint_url=self.url, config=config
            )
        self.tables: dict[str, str] = {}
        self.queues: dict[str, str] = {}
        self.secret_arns: dict[str, str] = {}

    def start(self) -> None:
        """Start to answer."""
        self._server.start()

    def stop(self) -> None:
        """Stop, and forget everything."""
        self._server.stop()
        for client in (self.dynamodb, self.sqs, self.events, self.secrets, self._cloudformation):
            client.close()

    def deploy(
        self,
        template: Template,
        *,
        parameters: Mapping[str, str],
        secret: str,
        expressions: Mapping[str, Any],
    ) -> dict[str, Any]:
        """
        Make the template's tables, queues and secrets, and an event bus as people have one.

        Args:
            parameters: Those of the template that have no default, at least.
            secret: The content of its secrets.
            expressions: CloudFormation expressions (`{"Ref": …}`, plain values too), under names of ours.

        Returns:
            The value of each expression, under its name; queue URLs lead to this machine.
        """
        for name in template.of_type(_SECRET):
            made = self.secrets.create_secret(Name=f"{self._stack_name}-{name}", SecretString=secret)
            self.secret_arns[name] = made["ARN"]
        policies = {
            f"policy of {name}": {
                "queues": resource["Properties"]["Queues"],
                "policy": resource["Properties"]["PolicyDocument"],
            }
            for name, resource in template.of_type(_QUEUE_POLICY).items()
        }
        named = list({**expressions, **policies}.items())
        resources = template.of_type(*_MADE_BY_CLOUDFORMATION)
        for name, queue in template.of_type("AWS::SQS::Queue").items():
            # A name that the events in events/ can know; CloudFormation's own ends in chance.
            queue["Properties"].setdefault("QueueName", name)
        ids = {f"Id{i}": {"Value": {"Ref": name}} for i, name in enumerate(resources)}
        # JSON, for an output is text and an expression may be a list.
        values = {f"Value{i}": {"Value": {"Fn::ToJsonString": {"is": value}}} for i, (_, value) in enumerate(named)}
        # moto's CloudFormation makes no secrets; as parameters, they can be referred to all the same.
        body = {
            "Parameters": {**template.parameters, **{name: {"Type": "String"} for name in self.secret_arns}},
            "Conditions": template.conditions,
            "Mappings": template.mappings,
            "Resources": resources,
            "Outputs": ids | values,
        }
        given = {**parameters, **self.secret_arns}
        self._cloudformation.create_stack(
            StackName=self._stack_name,
            TemplateBody=json.dumps(body),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        )
        [stack] = self._cloudformation.describe_stacks(StackName=self._stack_name)["Stacks"]
        outputs = {one["OutputKey"]: self._here(one["OutputValue"]) for one in stack["Outputs"]}
        for i, (name, resource) in enumerate(resources.items()):
            known = self.queues if resource["Type"] == "AWS::SQS::Queue" else self.tables
            known[name] = outputs[f"Id{i}"]
        found = {name: json.loads(outputs[f"Value{i}"])["is"] for i, (name, _) in enumerate(named)}
        for name in policies:
            of_queue = found.pop(name)
            for url in of_queue["queues"]:
                self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(of_queue["policy"])})
        self._make_bus()
        return found

    def _make_bus(self) -> None:
        """Make a bus, as people have one, and a rule that keeps all that is told on it."""
        with suppress(self.events.exceptions.ResourceAlreadyExistsException):
            self.events.create_event_bus(Name=EVENT_BUS)
        url = self.queues[EVENTS_QUEUE] = self._here(self.sqs.create_queue(QueueName=EVENTS_QUEUE)["QueueUrl"])
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.events.put_rule(
            Name=EVENTS_QUEUE, EventBusName=EVENT_BUS, EventPattern=json.dumps({"source": ["lockstep"]})
        )
        self.events.put_targets(Rule=EVENTS_QUEUE, EventBusName=EVENT_BUS, Targets=[{"Id": "kept", "Arn": arn}])

    def empty(self) -> None:
        """Take every item out of the tables and every message out of the queues."""
        for table in self.tables.values():
            keys = [key["AttributeName"] for key in self.dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]]
            for items in batched(self.items(table), _WRITE_MAX, strict=False):
                gone: list[WriteRequestTypeDef] = [
                    {"DeleteRequest": {"Key": {key: item[key] for key in keys}}} for item in items
                ]
                self.dynamodb.batch_write_item(RequestItems={table: gone})
        self._server.drop_messages()

    def hasten_messages(self) -> None:
        """Let every delay and visibility timeout of a message be over now."""
        self._server.hasten_messages()

    def items(self, table: str) -> list[dict[str, Any]]:
        """Return all that a table holds, as DynamoDB writes it."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return [dict(item) for page in pages for item in page["Items"]]

    def _here(self, value: str) -> str:
        """Return a value whose queue URLs lead to this machine."""
        return value.replace(f"https://sqs.{REGION}.amazonaws.com/", f"{self.url}/")
