"""What the template says, after AWS's own translator made CloudFormation of it."""

import logging
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from onebox.environment import variables

# It measures itself for AWS, and complains where nobody collects that.
logging.getLogger("samtranslator.metrics.metrics").setLevel(logging.ERROR)

# The translator wants code to be in S3; nobody reads it there.
_NOWHERE = "s3://nowhere/nothing"


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """
    One function.

    Attributes:
        code: The folder that holds its handler's file.
        environment: Variables; values may be expressions such as `{"Ref": …}`.
    """

    logical_id: str
    code: Path
    handler: str
    timeout_s: int
    memory_mb: int
    environment: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class QueueSource:
    """A queue that feeds a function."""

    function: str
    queue: str
    batch_size: int
    reports_failures: bool


@dataclass(frozen=True, slots=True)
class JwtAuthorizer:
    """Whose tokens the API takes; both may be expressions."""

    issuer: Any
    audience: Any


# What SAM calls the authorization by IAM, which is no authorizer of the template's own.
IAM = "AWS_IAM"


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the HTTP API."""

    method: str
    path: str
    function: str
    authorizer: str | None

    @property
    def key(self) -> str:
        """As API Gateway writes it."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A function that is invoked again and again."""

    function: str
    every_s: int


@dataclass(frozen=True, slots=True)
class Template:
    """A SAM template, translated."""

    resources: Mapping[str, Any]
    parameters: Mapping[str, Any]
    conditions: Mapping[str, Any]
    mappings: Mapping[str, Any]
    functions: tuple[FunctionSpec, ...]

    @classmethod
    def load(cls, path: Path, *, region: str) -> Self:
        """Read and translate a template.yaml."""
        source = yaml_parse(path.read_text())
        code = _take_code(source)
        # The translator asks boto3 for the region.
        with variables({"AWS_DEFAULT_REGION": region}):
            translated = transform(source, {}, _NoManagedPolicies())
        resources = translated["Resources"]
        functions = tuple(
            FunctionSpec(
                logical_id,
                path.parent / code[logical_id],
                properties["Handler"],
                int(properties.get("Timeout", 3)),
                int(properties.get("MemorySize", 128)),
                properties.get("Environment", {}).get("Variables", {}),
            )
            for logical_id, properties in _of_type(resources, "AWS::Lambda::Function")
        )
        return cls(
            resources,
            translated.get("Parameters", {}),
            translated.get("Conditions", {}),
            translated.get("Mappings", {}),
            functions,
        )

    def of_type(self, *types: str) -> dict[str, Any]:
        """Return the resources of these types, whole."""
        return {name: resource for name, resource in self.resources.items() if resource["Type"] in types}

    def queue_sources(self) -> list[QueueSource]:
        """Return what feeds functions from queues."""
        return [
            QueueSource(
                self._function(properties["FunctionName"]),
                _named(properties["EventSourceArn"]),
                int(properties.get("BatchSize", 10)),
                "ReportBatchItemFailures" in properties.get("FunctionResponseTypes", []),
            )
            for _, properties in _of_type(self.resources, "AWS::Lambda::EventSourceMapping")
        ]

    def schedules(self) -> list[Schedule]:
        """Return which functions are invoked by the clock; all of the template's are rates in minutes."""
        return [
            Schedule(self._function(target["Arn"]), _every_s(properties["ScheduleExpression"]))
            for _, properties in _of_type(self.resources, "AWS::Events::Rule")
            for target in properties["Targets"]
        ]

    def routes(self) -> list[Route]:
        """Return the routes of the template's HTTP API."""
        routes = []
        for body in self._apis():
            for path, operations in body["paths"].items():
                for method, operation in operations.items():
                    function = self._function(operation["x-amazon-apigateway-integration"]["uri"])
                    named = [name for one in operation.get("security", []) for name in one]
                    routes.append(Route(method.upper(), path, function, named[0] if named else None))
        return routes

    def authorizers(self) -> dict[str, JwtAuthorizer]:
        """Return the JWT authorizers of the template's HTTP API, by name."""
        return {
            name: JwtAuthorizer(**scheme["x-amazon-apigateway-authorizer"]["jwtConfiguration"])
            for body in self._apis()
            for name, scheme in body.get("components", {}).get("securitySchemes", {}).items()
            if "x-amazon-apigateway-authorizer" in scheme
        }

    def _function(self, expression: Any) -> str:
        """Return the function that a trigger invokes, by an alias or by itself."""
        named = _named(expression)
        resource = self.resources[named]
        return _named(resource["Properties"]["FunctionName"]) if resource["Type"] == "AWS::Lambda::Alias" else named

    def _apis(self) -> Iterator[dict[str, Any]]:
        for _, properties in _of_type(self.resources, "AWS::ApiGatewayV2::Api"):
            yield properties["Body"]


class _NoManagedPolicies:
    def load(self) -> dict[str, str]:
        return {}


def _take_code(source: dict[str, Any]) -> dict[str, str]:
    """Return where each function's code is, and tell the translator that it is in S3."""
    shared = source.get("Globals", {}).get("Function", {})
    default = shared.get("CodeUri", ".")
    if "CodeUri" in shared:
        shared["CodeUri"] = _NOWHERE
    code = {}
    for logical_id, resource in source["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function":
            code[logical_id] = properties.get("CodeUri", default)
            properties["CodeUri"] = _NOWHERE
        elif resource["Type"] == "AWS::Serverless::LayerVersion":
            properties["ContentUri"] = _NOWHERE
    return code


def _of_type(resources: Mapping[str, Any], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for logical_id, resource in resources.items():
        if resource["Type"] == kind:
            yield logical_id, deepcopy(resource.get("Properties", {}))


def _every_s(expression: str) -> int:
    rate = re.fullmatch(r"rate\((\d+) minutes\)", expression)
    if rate is None:
        raise ValueError(f"how often is {expression}?")
    return int(rate[1]) * 60


def _named(expression: Any) -> str:
    """Return the logical id that an expression is about."""
    match expression:
        case {"Ref": str(logical_id)}:
            return logical_id
        case {"Fn::GetAtt": [str(logical_id), _]}:
            return logical_id
        case {"Fn::Sub": str(text)}:
            # arn:…:lambda:path/2015-03-31/functions/${RegisterFunctionAliaslive}/invocations; ${….Arn} without an alias
            return text.partition("/functions/${")[2].partition("}")[0].removesuffix(".Arn")
    raise ValueError(f"which resource is {expression}?")
