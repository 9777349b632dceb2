"""The environment in which Lambda would start a function of template.yaml, as far as its init can tell."""

from pathlib import Path
from typing import Any

from onebox import ROOT
from onebox.template import FunctionSpec, Template

_REGION = "us-east-1"
_QUEUE_URL = f"https://sqs.{_REGION}.amazonaws.com/123456789012/{{}}"

# What the layer of schemas is made of.
SCHEMAS = ROOT / "layers" / "schemas"

# Parameters that have no default.
_GIVEN = {"BundleId": "com.example.app"}


def cold_environment(template: Template, spec: FunctionSpec, *, schemas: Path = SCHEMAS) -> dict[str, str]:
    """Return all variables, whole: those of the template, and those that Lambda sets and init reads."""
    lambdas = {
        "AWS_DEFAULT_REGION": _REGION,
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_LAMBDA_FUNCTION_NAME": spec.logical_id,
    }
    layers = {"SCHEMAS_FOLDER": str(schemas)}
    return lambdas | {name: layers.get(name) or _value(template, value) for name, value in spec.environment.items()}


def _value(template: Template, expression: Any) -> str:
    match expression:
        case {"Ref": str(name)} if name in template.parameters:
            return _GIVEN.get(name) or str(template.parameters[name]["Default"])
        case {"Ref": str(name)} if template.resources[name]["Type"] == "AWS::SQS::Queue":
            return _QUEUE_URL.format(name)
        case {"Ref": str(name)}:
            return name
    return str(expression)
