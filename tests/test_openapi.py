"""docs/openapi.json says what the API does, in words that client generators understand."""

import json
import re
from collections.abc import Iterator
from typing import Any

from docs.openapi import FILE, OPERATIONS, document, text
from lockstep import models
from onebox import ROOT
from onebox.template import IAM, Template

DOCUMENT: dict[str, Any] = json.loads(FILE.read_text())


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of the document."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(inner)


def operations() -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
    }


def test_the_file_is_what_the_code_makes() -> None:
    assert FILE.read_text() == text(), "run `make openapi`"
    assert document() == DOCUMENT


def test_it_has_the_apps_routes_of_the_template_and_none_that_only_operators_may_ask() -> None:
    template = Template.load(ROOT / "template.yaml", region="us-east-1")

    apps = {route.key for route in template.routes() if route.authorizer != IAM}
    assert set(operations()) == set(OPERATIONS) == apps
    assert len(apps) == len(template.routes()) - 1


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [operation["operationId"] for operation in operations().values()]

    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


def test_every_parameter_of_a_path_is_described() -> None:
    for key, operation in operations().items():
        described = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
        assert key.split(" ")[1].format(**dict.fromkeys(described, "x")).count("{") == 0
        assert all(f"{{{name}}}" in key for name in described)


def test_all_but_what_asks_answer_204_without_a_body() -> None:
    for operation in operations().values():
        [(status, response)] = [(status, one) for status, one in operation["responses"].items() if status < "300"]
        assert (status, "content" in response) == (
            ("200", True) if operation["operationId"] in ("report", "getChannel") else ("204", False)
        )


def test_all_refusals_have_one_body() -> None:
    bodies = {
        response["content"]["application/json"]["schema"]["$ref"]
        for operation in operations().values()
        for status, response in operation["responses"].items()
        if status >= "400"
    }

    assert bodies == {"#/components/schemas/Error"}
    assert set(DOCUMENT["components"]["schemas"]["Error"]["properties"]) == {"field", "message"}


def test_what_api_gateway_may_answer_by_itself_is_in_it() -> None:
    for key, operation in operations().items():
        answers = set(operation["responses"])
        assert answers >= {"401", "429", "500", "503"}
        # An id that holds a slash makes a path that is no route.
        assert answers.isdisjoint({"404", "422"}) if "{" not in key else answers >= {"404", "422"}


def test_a_token_has_an_even_number_of_hex_digits() -> None:
    schema = DOCUMENT["components"]["schemas"]["StartTokenRegistration"]["properties"]["token"]

    assert (schema["minLength"], schema["maxLength"]) == (64, 512)
    assert [bool(re.search(schema["pattern"], "aF" * 32 + more)) for more in ("", "0", "00", "0g")] == [
        *(True, False, True, False)
    ]


def test_milliseconds_are_the_same_in_a_query_as_in_a_body() -> None:
    [asked] = [
        one["schema"] for one in operations()["DELETE /v1/devices/{device}"]["parameters"] if one["in"] == "query"
    ]

    assert asked == DOCUMENT["components"]["schemas"]["Report"]["properties"]["observed_at_ms"]


def test_nothing_is_said_that_swifts_generator_does_not_understand() -> None:
    for node in nodes(DOCUMENT):
        assert node.keys().isdisjoint({"anyOf", "oneOf", "allOf", "$defs"})
        assert node.get("type") != "null"


def test_every_reference_leads_somewhere() -> None:
    referred = {node["$ref"].rpartition("/")[2] for node in nodes(DOCUMENT) if isinstance(node.get("$ref"), str)}

    assert referred == set(DOCUMENT["components"]["schemas"])


def test_every_bound_is_one_that_json_holds_exactly() -> None:
    bounds = [node[key] for node in nodes(DOCUMENT) for key in ("minimum", "maximum") if isinstance(node.get(key), int)]

    assert bounds
    assert all(abs(bound) <= 2**53 for bound in bounds)


def test_schemas_have_the_fields_of_their_models_and_ask_for_no_more() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        if name != "Error":
            fields = getattr(models, name).model_fields
            assert schema["properties"].keys() == fields.keys()
            assert schema.get("required", []) == [field for field, info in fields.items() if info.is_required()]
