"""An `aws` command, made by botocore: the CLI's words are its models' words, and its options' values are JSON or text."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore import xform_name
from botocore.model import OperationModel, Shape

# Options of the CLI itself.
_OF_THE_CLI = ("query", "output")
# What the CLI calls otherwise than the model (awscli/customizations/argrename.py), of what we use.
_RENAMED = {("sns", "subscribe", "endpoint"): "notification-endpoint"}
_SESSION = botocore.session.get_session()


@dataclass(frozen=True, slots=True)
class AwsCommand:
    """
    A call to AWS, as its command line says it.

    Attributes:
        query: The JMESPath of what is printed.
    """

    service: str
    operation: OperationModel
    parameters: dict[str, Any]
    query: str | None

    @staticmethod
    def of(words: Sequence[str], variables: Mapping[str, str], *, folder: Path) -> "AwsCommand":
        """
        Read a command line.

        Raises:
            KeyError: AWS has no such command, the command no such option, or a variable is not known.
        """
        program, service, command, *rest = words
        assert program == "aws"
        model = _SESSION.get_service_model(service)
        operation = model.operation_model({xform_name(name, "-"): name for name in model.operation_names}[command])
        shape = operation.input_shape
        assert shape is not None
        plain = {xform_name(name, "-"): name for name in shape.members}
        names = {_RENAMED.get((service, command, option), option): name for option, name in plain.items()}
        members: dict[str, Shape] = {option: shape.members[name] for option, name in names.items()}
        given = dict(zip(rest[::2], rest[1::2], strict=True))
        options = {option.removeprefix("--"): _expanded(value, variables) for option, value in given.items()}
        own = {option: options.pop(option) for option in _OF_THE_CLI if option in options}
        parameters = {names[option]: _value(value, members[option], folder) for option, value in options.items()}
        return AwsCommand(service, operation, parameters, own.get("query"))

    def run(self, endpoint: str, *, region: str) -> dict[str, Any]:
        """Make the call; botocore refuses what its models do not know."""
        client = boto3.client(  # type: ignore[call-overload]  # the service is named at run time
            self.service, endpoint_url=endpoint, region_name=region, aws_access_key_id="x", aws_secret_access_key="x"
        )
        try:
            answer: dict[str, Any] = getattr(client, xform_name(self.operation.name))(**self.parameters)
            return answer
        finally:
            client.close()


def _expanded(value: str, variables: Mapping[str, str]) -> str:
    return re.sub(r"\$([A-Z_]+)", lambda found: variables[found[1]], value)


def _value(value: str, shape: Shape, folder: Path) -> Any:
    if value.startswith("file://"):
        value = (folder / value.removeprefix("file://")).read_text()
    if shape.type_name == "string":
        return value
    if shape.type_name == "list" and not value.startswith("["):
        return [value]
    return json.loads(value)
