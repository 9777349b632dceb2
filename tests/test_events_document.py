"""docs/events.md and docs/events/: one contract, in examples, patterns and schemas that hold together."""

import json
from copy import deepcopy
from typing import Any

import jsonschema_rs
import pytest
from moto.events.models import EventPattern

from lockstep.outcome_events import DetailType
from tests.outcomes import SCHEMAS, blocks, check

EXAMPLES = {block["detail-type"]: block for block in blocks() if "detail-type" in block and "id" in block}
PATTERNS = [block for block in blocks() if "id" not in block]


def matches(pattern: dict[str, Any], event: Any) -> bool:
    """Let moto say whether a rule of this pattern would hand an event on."""
    return EventPattern.load(json.dumps(pattern)).matches_event(event)


def test_every_kind_of_event_has_a_schema_and_an_example() -> None:
    assert set(SCHEMAS) == set(EXAMPLES) == set(DetailType)


@pytest.mark.parametrize("kind", SCHEMAS)
def test_an_example_fits_its_schema_and_shows_every_field(kind: str) -> None:
    check(EXAMPLES[kind])

    assert EXAMPLES[kind]["detail"].keys() == SCHEMAS[kind]["properties"]["detail"]["properties"].keys()


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_schema_is_of_the_draft_that_eventbridge_takes_and_asks_for_what_is_always_there(kind: str) -> None:
    schema = SCHEMAS[kind]

    assert schema["$schema"] == "http://json-schema.org/draft-04/schema#"
    assert jsonschema_rs.meta.is_valid(schema)
    for name in schema["properties"]["detail"]["required"]:
        lacking = deepcopy(EXAMPLES[kind])
        del lacking["detail"][name]
        with pytest.raises(jsonschema_rs.ValidationError):
            check(lacking)


NOBODY = {"accepted": 0, "rejected": 0, "forgotten": 0, "unanswered": 0, "retrying": 0}

# Of each pattern of the document, in order: the kind that it is for, and what an example needs to match.
WANTED: list[tuple[DetailType, dict[str, Any]]] = [
    (DetailType.DELIVERY_COMPLETED, {"ended": True}),
    (DetailType.DELIVERY_COMPLETED, {"p95_ms": 5001}),
    (DetailType.DELIVERY_COMPLETED, {"phones": NOBODY}),
    (DetailType.TOKEN_FORGOTTEN, {}),
    (DetailType.PUBLISH_REFUSED, {}),
    (DetailType.START_WITHOUT_CARD, {}),
]


@pytest.mark.parametrize(("pattern", "wanted"), list(zip(PATTERNS[:-1], WANTED, strict=True)))
def test_a_pattern_matches_what_it_is_said_to_and_nothing_else(
    pattern: dict[str, Any], wanted: tuple[DetailType, dict[str, Any]]
) -> None:
    kind, change = wanted
    meant = {**EXAMPLES[kind], "detail": {**EXAMPLES[kind]["detail"], **change}}

    check(meant)
    assert matches(pattern, meant)
    assert matches(pattern, EXAMPLES[kind]) is not bool(change)
    assert not any(matches(pattern, example) for other, example in EXAMPLES.items() if other != kind)


def test_the_pattern_for_one_of_many_stacks_matches_all_that_it_tells() -> None:
    pattern = PATTERNS[-1]

    assert all(matches(pattern, example) for example in EXAMPLES.values())
    anothers = [EXAMPLES[kind]["resources"][0].replace("/lockstep/", "/lockstep-test/") for kind in EXAMPLES]
    assert not any(matches(pattern, {**EXAMPLES["Token Forgotten"], "resources": [arn]}) for arn in anothers)
