"""The template as tests look at it: as it is written, and as CloudFormation gets it."""

from collections.abc import Mapping
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from onebox import ROOT
from onebox.template import Template

TEXT = (ROOT / "template.yaml").read_text()
SOURCE: Mapping[str, Any] = yaml_parse(TEXT)
TEMPLATE = Template.load(ROOT / "template.yaml", region="us-east-1")


def properties(kind: str) -> dict[str, Any]:
    """Return the properties of all resources of a type, by logical id, as CloudFormation gets them."""
    found = {name: resource["Properties"] for name, resource in TEMPLATE.of_type(kind).items()}
    assert found, kind
    return found


def source_resources(kind: str) -> dict[str, Any]:
    return {name: resource for name, resource in SOURCE["Resources"].items() if resource["Type"] == kind}


def named(expression: Any) -> str:
    """Return the logical id that a Ref or GetAtt is about."""
    match expression:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            return name
    raise ValueError(expression)
