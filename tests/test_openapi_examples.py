"""Each example of docs/openapi.json is what the running API takes and says, word for word."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import jsonschema_rs
import pytest
import time_machine
from openapi_spec_validator import OpenAPIV31SpecValidator

from docs.examples import ANSWERS, PARAMETERS, REQUESTS, Refusal, refusals
from docs.openapi import OPERATIONS, document
from lockstep import models
from onebox import ROOT
from onebox.stack import Stack
from tests.messages import start
from tests.pushing import say

DOCUMENT = document()

# When the example's state was published, and when its phone reports.
PUBLISHED_S, NOW_S = 1_799_999_990, 1_800_000_000


def media() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every body that is described, and where."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            for where, one in {"request": operation.get("requestBody", {}), **operation["responses"]}.items():
                for content in one.get("content", {}).values():
                    yield f"{method.upper()} {path} {where}", content


def shown(content: Mapping[str, Any]) -> list[Any]:
    return [content["example"]] if "example" in content else [one["value"] for one in content["examples"].values()]


def test_the_document_is_valid() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_every_body_has_an_example_that_fits_its_schema() -> None:
    for where, content in media():
        examples = shown(content)
        assert examples, where
        schema = {**content["schema"], "components": DOCUMENT["components"]}
        assert not jsonschema_rs.is_valid(schema, {}), "all have something that must be there"
        for example in examples:
            jsonschema_rs.validate(schema, example)


def test_every_parameter_has_an_example_that_fits_its_schema() -> None:
    parameters = [
        one for path in DOCUMENT["paths"].values() for any_ in path.values() for one in any_.get("parameters", ())
    ]

    assert {one["name"] for one in parameters} == PARAMETERS.keys()
    for one in parameters:
        jsonschema_rs.validate(one["schema"], one["example"])


def test_requests_and_answers_are_examples_of_all_that_their_models_have() -> None:
    for key, operation in OPERATIONS.items():
        for example, model in (
            (REQUESTS.get(operation.id), operation.request),
            (ANSWERS.get(operation.id), operation.answer),
        ):
            assert (example is None) == (model is None), key
            if model and example:
                assert model.model_validate_json(json.dumps(example)).model_dump(exclude_none=True) == example
    assert REQUESTS["report"].keys() == models.Report.model_fields.keys()
    assert REQUESTS["putCard"].keys() == models.CardRegistration.model_fields.keys()


def test_the_readme_shows_the_same() -> None:
    blocks = re.findall(r"^ *```json\n(.*?)^ *```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    apps = [body for body in map(json.loads, blocks) if "aps" not in body]

    assert len(apps) == 4
    assert all(body in (*REQUESTS.values(), *ANSWERS.values()) for body in apps)


# --- asked of the API


def ask(stack: Stack, key: str, but: Refusal | None = None) -> tuple[int, Any]:
    """Ask as an operation's example does, but for what a refusal says; return status and answer."""
    method, path = key.split(" ")
    operation = OPERATIONS[key]
    said = {**PARAMETERS, **(but.parameters if but else {})}
    target = path.format(**{name: quote(str(value), safe="") for name, value in said.items()})
    query = urlencode({one["name"]: said[one["name"]] for one in operation.query})
    body = json.dumps(REQUESTS[operation.id]) if operation.request else None
    user = but.user if but else "ana"
    headers = {"content-type": "application/json"} | (
        {"authorization": f"Bearer {stack.identity.token(user)}"} if user else {}
    )
    connection = HTTPConnection(urlsplit(stack.api.url).netloc, timeout=10)
    try:
        connection.request(method, f"{target}?{query}", but.body if but and but.body else body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read() or "null")
    finally:
        connection.close()


@pytest.fixture
def scene(stack: Stack) -> Iterator[Stack]:
    """Run the order, which is ana's and ben's, and the match, which has a channel; then stop the clock."""
    with time_machine.travel(PUBLISHED_S, tick=False) as clock:
        for function in stack.functions.values():
            function.restart()
        said = {"driver": "Ana", "minutes": 30}
        assert say(stack, start("order-42", "ana", "ben", aps={"content-state": said})) == []
        assert say(stack, start("match-7", channel="latest")) == []
        clock.move_to(NOW_S)
        yield stack
    # What was signed at another time is of no use today.
    for function in stack.functions.values():
        function.restart()


def test_every_example_is_taken_and_answered_as_it_says(scene: Stack) -> None:
    for key, operation in OPERATIONS.items():
        status, answer = ask(scene, key)

        assert status == (200 if operation.answer else 204), (key, answer)
        if operation.id == "getChannel":
            # Apple thinks up a new one each time.
            assert [len(base64.b64decode(one["channel"])) for one in (answer, ANSWERS[operation.id])] == [16, 16]
            assert answer.keys() == ANSWERS[operation.id].keys()
        else:
            assert answer == ANSWERS.get(operation.id), key


def all_refusals() -> list[tuple[str, Refusal]]:
    """List each refusal with its operation."""
    return [
        (key, one)
        for key, operation in OPERATIONS.items()
        for one in refusals(operation.id, tuple(re.findall(r"{(\w+)}", key)))
    ]


def test_every_refusal_is_said_in_the_words_of_its_example(scene: Stack) -> None:
    for key, refusal in all_refusals():
        # A fault has a test of its own; nobody is throttled on one machine, nor kept waiting.
        if refusal.status not in (429, 500, 503):
            assert ask(scene, key, refusal) == (refusal.status, refusal.answer), (key, refusal.name)


def test_a_fault_is_told_in_the_words_of_its_example(stack: Stack) -> None:
    def is_away(**_: object) -> None:
        raise ConnectionError("DynamoDB is away")

    calls = stack.functions["RegisterFunction"].names["dynamodb"].meta.events
    calls.register("before-call.dynamodb", is_away)
    try:
        for key, refusal in all_refusals():
            if refusal.status == 500:
                assert ask(stack, key) == (500, refusal.answer), key
    finally:
        calls.unregister("before-call.dynamodb", is_away)


def test_every_refusal_that_is_possible_has_an_example_and_each_its_name() -> None:
    for key in OPERATIONS:
        method, path = key.split(" ")
        made = [(str(one.status), one.name) for of, one in all_refusals() if of == key]
        described = DOCUMENT["paths"][path][method.lower()]["responses"]

        assert {status for status, _ in made} == {status for status in described if status >= "400"}, key
        assert len(set(made)) == len(made), key
