"""
Writes openapi.json, for client generators: `PYTHONPATH=layers/shared python -m docs.openapi`.

Routes are the template's and schemas are the models'; here stands only what neither says. Made so that
swift-openapi-generator reads it: names of our own, and no `anyOf` with null, which it can't express.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from docs.examples import ANSWERS, PARAMETERS, REQUESTS, refusals
from lockstep.apns import Environment
from lockstep.http import BODY_MAX_BYTES
from lockstep.ids import ID_PATTERN
from lockstep.models import (
    MILLISECONDS_END,
    CardRegistration,
    ChannelAnswer,
    Report,
    ReportAnswer,
    StartTokenRegistration,
)

FILE = Path(__file__).with_name("openapi.json")

# What JavaScript and many JSON readers hold exactly; a bound beyond it is said by `format: int64` alone.
_EXACT_MAX = 2**53


@dataclass(frozen=True, slots=True)
class Operation:
    """
    What an app can ask for.

    Attributes:
        request: None where there is no body.
        answer: None where the answer is 204.
        guests: Whether an activity's guests may not include the user.
    """

    id: str
    summary: str
    request: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    query: tuple[dict[str, Any], ...] = ()
    guests: bool = False


REASON: dict[str, Any] = {
    "name": "reason",
    "in": "query",
    "required": False,
    "description": "Whether the user dismissed the card; its run then isn't started again on this phone.",
    "schema": {"type": "string", "enum": ["dismissed", "ended"]},
}

OBSERVED: dict[str, Any] = {
    "name": "observed_at_ms",
    "in": "query",
    "required": False,
    "description": "When the user signed out, by the phone's clock; what it observes later counts again. Default: now, by ours.",
    "schema": {"type": "integer", "format": "int64", "minimum": 1, "maximum": MILLISECONDS_END - 1},
}

ENVIRONMENT: dict[str, Any] = {
    "name": "environment",
    "in": "query",
    "required": True,
    "description": "The APNs environment that the app was built for; channels are of one environment.",
    "schema": {"type": "string", "enum": [environment.value for environment in Environment]},
}

OPERATIONS: Mapping[str, Operation] = {
    "PUT /v1/devices/{device}": Operation(
        "report", "Tell the phone's whole truth, at launch and foreground", Report, ReportAnswer
    ),
    "PUT /v1/devices/{device}/start-tokens/{attributes_type}": Operation(
        "putStartToken", "Pass on a push-to-start token", StartTokenRegistration
    ),
    "PUT /v1/devices/{device}/cards/{card}": Operation(
        "putCard", "Say that a card exists, and pass on its update token", CardRegistration, guests=True
    ),
    "DELETE /v1/devices/{device}/cards/{card}": Operation("removeCard", "Say that a card is gone", query=(REASON,)),
    "GET /v1/activities/{activity}/channel": Operation(
        "getChannel",
        "Ask for the broadcast channel to subscribe to",
        answer=ChannelAnswer,
        query=(ENVIRONMENT,),
        guests=True,
    ),
    "DELETE /v1/devices/{device}": Operation("signOut", "Forget all of this phone", query=(OBSERVED,)),
    "DELETE /v1/me": Operation("forgetMe", "Forget all of this user"),
}

PATH_PARAMETERS: Mapping[str, str] = {
    "device": "A random UUID that the app makes once and keeps to itself.",
    "attributes_type": "Name of the Swift struct of the Live Activity's attributes.",
    "card": "ActivityKit's `Activity.id`.",
    "activity": "What the card is about, by its producer's name.",
}

REFUSALS: Mapping[int, str] = {
    400: "The body is not a JSON object.",
    401: "The request carries no valid token.",
    403: "The activity's guests don't include the user.",
    404: "There is none; or the path is no route, as where an id in it holds a slash.",
    413: f"The body is longer than {BODY_MAX_BYTES} bytes.",
    422: "A field or an id in the path is wrong.",
    # Not by Lockstep's will, but every app meets them.
    429: "API Gateway has too many requests at once; this one may be repeated later.",
    500: "AWS failed Lockstep, or Lockstep did; the request may be repeated.",
    503: "API Gateway had no answer in time; the request may be repeated.",
}

ERROR: dict[str, Any] = {
    "type": "object",
    "description": "Why a request was refused.",
    "properties": {
        "field": {
            "type": "string",
            "description": "What is wrong, as a path. Absent where API Gateway answered before Lockstep could.",
        },
        "message": {"type": "string"},
    },
    "required": ["message"],
}


def document() -> dict[str, Any]:
    """Return the whole document."""
    models = [model for one in OPERATIONS.values() for model in (one.request, one.answer) if model]
    _, schemas = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for key, operation in OPERATIONS.items():
        method, path = key.split(" ")
        paths.setdefault(path, {})[method.lower()] = _operation(path, operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Lockstep",
            "version": "1",
            "description": "Where an app registers its phones. The user is the token's `sub`, and nothing else.",
        },
        "security": [{"jwt": []}],
        "paths": paths,
        "components": {
            "schemas": {**_tidy(schemas["$defs"]), "Error": ERROR},
            "securitySchemes": {"jwt": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(path: str, operation: Operation) -> dict[str, Any]:
    ids = tuple(re.findall(r"{(\w+)}", path))
    parameters = [*(_path_parameter(name) for name in ids), *operation.query]
    described: dict[str, Any] = {"operationId": operation.id, "summary": operation.summary}
    if parameters:
        described["parameters"] = [{**one, "example": PARAMETERS[one["name"]]} for one in parameters]
    if operation.request:
        shown = {"example": REQUESTS[operation.id]}
        described["requestBody"] = {"required": True, "content": _json(operation.request.__name__, shown)}
    described["responses"] = {"204": {"description": "Done."}}
    if operation.answer:
        content = _json(operation.answer.__name__, {"example": ANSWERS[operation.id]})
        described["responses"] = {"200": {"description": "Done.", "content": content}}
    impossible = {400, 413} if operation.request is None else set()
    impossible |= set() if operation.guests else {403}
    impossible |= set() if operation.request or parameters else {404, 422}
    for status, description in REFUSALS.items():
        if status not in impossible:
            shown = {one.name: {"value": one.answer} for one in refusals(operation.id, ids) if one.status == status}
            content = _json("Error", {"examples": shown})
            described["responses"][str(status)] = {"description": description, "content": content}
    return described


def _path_parameter(name: str) -> dict[str, Any]:
    schema = {"type": "string", "pattern": ID_PATTERN}
    return {"name": name, "in": "path", "required": True, "description": PATH_PARAMETERS[name], "schema": schema}


def _json(schema: str, shown: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}, **shown}}


def _tidy(schema: Any) -> Any:
    """Say what Pydantic says, in words that client generators understand: absent instead of null, plain bounds."""
    if isinstance(schema, list):
        return [_tidy(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "anyOf" in schema:
        kinds = [kind for kind in schema["anyOf"] if kind != {"type": "null"}]
        # Every integer is a number.
        kind = {"type": "number"} if {"type": "number"} in kinds else kinds[0]
        schema = {**{key: value for key, value in schema.items() if key != "anyOf"}, **kind}
    if schema.get("type") == "integer":
        schema = _whole_number(schema)
    # What is no text or null under these keys is a property of that name.
    noise = {key for key in ("title", "default") if not isinstance(schema.get(key), dict)}
    return {key: _tidy(value) for key, value in schema.items() if key not in noise}


def _whole_number(schema: dict[str, Any]) -> dict[str, Any]:
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    bounds = {} if above is None else {"minimum": above + 1}
    bounds |= {"maximum": below - 1} if below is not None and below <= _EXACT_MAX else {}
    kept = {key: value for key, value in schema.items() if key not in ("exclusiveMinimum", "exclusiveMaximum")}
    return {**kept, "format": "int64", **bounds}


def text() -> str:
    """Return the document as it stands in the file."""
    return json.dumps(document(), ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
