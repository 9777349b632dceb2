"""The guide for the app: its Swift parses, says what the API takes, and stands in the guide as it stands in its files."""

import json
import plistlib
import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel
from tree_sitter import Node

from lockstep import models
from lockstep.apns import Environment
from lockstep.payload import attributes_of
from lockstep.row import Row
from onebox.stack import Stack
from tests import swift
from tests.curl import by_curl
from tests.documents import DOCS, Block, blocks, commands
from tests.messages import START_APS, start
from tests.phones_side import TOKEN, RegisterSide

FILES = sorted((DOCS / "ios").glob("*.swift"))
GUIDE = (DOCS / "ios.md").read_text()
PARSED = {path.name: swift.read(path) for path in FILES}


def as_a_quote(text: str) -> str:
    """Return lines without their indentation, which a quote may lose."""
    return "\n".join(line.strip() for line in text.strip().splitlines())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_is_swift(path: Path) -> None:
    assert swift.wrong(PARSED[path.name]) == []


def test_what_is_no_swift_is_noticed() -> None:
    assert swift.wrong(swift._PARSER.parse(b"func f( {").root_node)


@pytest.mark.parametrize("block", blocks("swift", document="ios.md"), ids=str)
def test_every_quote_stands_in_a_file(block: Block) -> None:
    assert any(as_a_quote(block.text) in as_a_quote(path.read_text()) for path in FILES)


def test_the_guide_leads_to_every_file() -> None:
    linked = set(re.findall(r"\]\(ios/(\w+\.swift)\)", GUIDE))

    assert linked == {path.name for path in FILES}
    assert "eleven files" in GUIDE
    assert len(FILES) == 11


MESSAGES: dict[str, type[BaseModel]] = {
    "Report": models.Report,
    "StartToken": models.ReportedStartToken,
    "Card": models.ReportedCard,
    "StartTokenRegistration": models.StartTokenRegistration,
    "CardRegistration": models.CardRegistration,
    "ReportAnswer": models.ReportAnswer,
    "ActivityAnswer": models.ActivityAnswer,
    "ChannelAnswer": models.ChannelAnswer,
}


@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_has_the_keys_of_the_api(name: str) -> None:
    struct = swift.structs(PARSED["LockstepMessages.swift"])[name]
    keys = swift.json_keys(struct)

    assert keys
    assert set(keys) == set(swift.fields(struct))
    assert set(keys.values()) == set(MESSAGES[name].model_fields)


def optionals(struct: Node) -> set[str]:
    text = swift.text(struct)
    return {one for one in swift.fields(struct) if re.search(rf"let {one}: [^\n]*\?$", text, re.MULTILINE)}


@pytest.mark.parametrize("name", MESSAGES)
def test_what_the_api_needs_is_never_left_out_and_what_it_may_leave_out_is_optional(name: str) -> None:
    struct = swift.structs(PARSED["LockstepMessages.swift"])[name]
    optional = optionals(struct)
    keys = swift.json_keys(struct)
    needed = {key for key, field in MESSAGES[name].model_fields.items() if field.is_required()}

    answered = name.endswith("Answer")
    assert not {keys[field] for field in optional} & needed
    assert not answered or {keys[field] for field in keys if field not in optional} == needed


def test_every_message_is_one_of_the_api_and_the_error_has_its_fields() -> None:
    declared = swift.structs(PARSED["LockstepMessages.swift"])
    coded = {name for name, struct in declared.items() if swift.text(struct).startswith("struct")}

    assert coded == {*MESSAGES, "Refusal"}
    error = json.loads((DOCS / "openapi.json").read_text())["components"]["schemas"]["Error"]
    assert set(swift.json_keys(declared["Refusal"])) == set(error["properties"]) == {"field", "message"}
    assert optionals(declared["Refusal"]) == set(error["properties"]) - set(error["required"])


def test_every_request_is_a_route_and_every_route_is_requested() -> None:
    made = [arguments for arguments in swift.calls(PARSED["LockstepClient.swift"], "send") if '"' in arguments[0]]
    asked = {(method.strip('"'), re.sub(r"\\\(\w+\)", "{}", path.strip('"'))) for method, path, *_ in made}
    document = json.loads((DOCS / "openapi.json").read_text())
    routes = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path)) for path, one in document["paths"].items() for method in one
    }

    assert asked == routes


def test_every_query_is_a_parameter() -> None:
    queries = re.findall(r'"(\w+)=\\\(', (DOCS / "ios" / "LockstepClient.swift").read_text())
    document = json.loads((DOCS / "openapi.json").read_text())
    known = {
        parameter["name"]
        for path in document["paths"].values()
        for one in path.values()
        for parameter in one.get("parameters", [])
        if parameter["in"] == "query"
    }

    assert set(queries) == known


def test_the_environments_and_the_reasons_are_those_of_the_api() -> None:
    environment = (DOCS / "ios" / "PushEnvironment.swift").read_text()
    [cases] = re.findall(r"case (production, sandbox)", environment)
    said = models.Report.model_fields["environment"].annotation
    cards = (DOCS / "ios" / "Cards.swift").read_text()
    document = json.loads((DOCS / "openapi.json").read_text())
    [reason] = [
        parameter
        for parameter in document["paths"]["/v1/devices/{device}/cards/{card}"]["delete"]["parameters"]
        if parameter["name"] == "reason"
    ]

    assert set(cases.split(", ")) == set(Environment) == set(get_args(get_args(said)[0]))
    assert set(re.findall(r'"(dismissed|ended)"', cards)) == set(reason["schema"]["enum"])


def test_the_attributes_are_those_that_a_start_carries(stack: Stack) -> None:
    side = RegisterSide(stack)
    row: Row = side.publish(start("order-42", "ana"))
    types = swift.structs(PARSED["OrderAttributes.swift"])

    carried = attributes_of(row)

    own = set(swift.fields(types["OrderAttributes"]))
    assert own == set(carried)
    assert set(swift.fields(types["ContentState"])) == set(START_APS["content-state"])
    assert START_APS["attributes-type"] in types
    protocol = (DOCS / "ios" / "OrderAttributes.swift").read_text().partition("struct OrderAttributes")[0]
    assert set(re.findall(r"var (\w+):", protocol)) == set(carried) - set(START_APS["attributes"])


LOCKSTEP = swift.functions(PARSED["Lockstep.swift"])
CARDS = swift.functions(PARSED["Cards.swift"])
SHOP = (DOCS / "ios" / "ShopApp.swift").read_text()


def test_every_request_of_the_client_is_made_by_the_app_which_has_no_other_way_to_it() -> None:
    client = swift.functions(PARSED["LockstepClient.swift"])
    asked = {name for name, written in client.items() if not written.startswith("private")}

    assert len(asked) == 7
    assert asked <= set(re.findall(r"(?:client\(\)|client|\$0)\.(\w+)\(", "\n".join(LOCKSTEP.values())))


def test_what_the_guide_tells_the_reader_to_call_is_there_and_open_to_them() -> None:
    told = set(re.findall(r"`(?:await )?lockstep\.(\w+)\(", GUIDE)) | set(re.findall(r"`(launch)\(as: user\)`", GUIDE))
    open_to_all = {name for name, written in LOCKSTEP.items() if not written.startswith("private")}

    assert told == {"launch", "signIn", "signOut", "forgetMe"}
    assert told < open_to_all
    assert "static func signedIn" in SHOP
    assert "static func signingOut" in SHOP


def test_the_sample_says_at_each_launch_who_is_signed_in() -> None:
    assert re.findall(r"lockstep\.launch\((.*?)\)", SHOP) == ["as: Session.user"] * 2


def test_who_is_signed_in_is_known_before_a_card_is_looked_at() -> None:
    # The card of nobody is taken away.
    assert "lockstep.memory.user != nil else" in CARDS["appeared"]
    assert LOCKSTEP["launch"].index("memory.user = user") < LOCKSTEP["launch"].index("observe()")


def test_a_card_that_appears_is_looked_after_whether_or_not_ios_lists_it() -> None:
    [guard, *_] = CARDS["appeared"].split("return")

    assert "runs(activity)" in guard
    assert ".activities" not in guard + CARDS["runs"]
    assert "running" not in guard + CARDS["runs"]
    assert re.search(
        r"var all: .*\{\s+seen \+ Activity<Attributes>\.activities", (DOCS / "ios" / "Cards.swift").read_text()
    )


def test_a_run_is_heard_of_before_it_is_asked_whether_its_card_was_swiped_away() -> None:
    agree = CARDS["agree"]

    assert agree.index("memory.hear(of: said.activity, run: said.run)") < agree.index("memory.isUnwanted")


# What the code asks of ActivityKit, as Apple's reference has it, and the first iOS that has it.
ACTIVITY_KIT = {
    "activities": 16.1,
    "activityState": 16.1,
    "activityStateUpdates": 16.1,
    "activityUpdates": 16.1,
    "activityEnablementUpdates": 16.1,
    "areActivitiesEnabled": 16.1,
    "attributes": 16.1,
    "content": 16.2,
    "end": 17.2,  # with a timestamp
    "frequentPushEnablementUpdates": 16.2,
    "frequentPushesEnabled": 16.2,
    "id": 16.1,
    "pushToStartToken": 17.2,
    "pushToStartTokenUpdates": 17.2,
    "pushToken": 16.1,
    "pushTokenUpdates": 16.1,
    "request": 16.2,
    "update": 17.2,  # with a timestamp
}


def test_no_name_of_activitykit_is_guessed_and_none_is_newer_than_the_guide_says() -> None:
    code = "\n".join((DOCS / "ios" / name).read_text() for name in ("Cards.swift", "Lockstep.swift"))
    asked = set(re.findall(r"\b(?:Activity(?:<Attributes>)?|activity|card|one|info)\.(\w+)", code))
    asked |= set(re.findall(r"\$0\.(activity\w+)", code))
    of_memory = {"activity", "attributesType", "run", "token"}

    assert asked - of_memory == ACTIVITY_KIT.keys()
    assert max(ACTIVITY_KIT.values()) == 17.2
    assert "They need iOS 17.2" in GUIDE
    assert code.count("iOS 18") == 1  # .channel


def test_a_card_that_is_registered_without_its_token_keeps_it(stack: Stack) -> None:
    side = RegisterSide(stack)
    side.put_card(token=TOKEN, observed_at_ms=side.clock.ms - 2)
    assert [card.token for card in side.cards()] == [TOKEN]

    side.report(cards=[{"card": "c-1", "activity": "order-42"}])

    assert [card.token for card in side.cards()] == [TOKEN]


def test_the_property_list_switches_live_activities_on() -> None:
    [block] = blocks("xml", document="ios.md")

    assert plistlib.loads(block.text.encode()) == {
        "NSSupportsLiveActivities": True,
        "NSSupportsLiveActivitiesFrequentUpdates": True,
    }


def test_every_request_by_hand_is_answered_as_the_guide_says(stack: Stack) -> None:
    [block] = blocks("sh", document="ios.md")
    setting, *said = commands(block)
    requests = [words for words in said if words[0] == "curl"]
    known = {
        "API": stack.api.url,
        "JWT": stack.identity.token("ana"),
        "DEVICE": "3F2504E0-4F89-41D3-9A0C-0305E82C3301",
        "NOW": "1800000000000",
    }
    assert setting == ["export", *known]

    answers = [
        by_curl([re.sub(r"\$([A-Z]+)", lambda name: known[name[1]], word) for word in one])[0] for one in requests
    ]

    assert answers == [200, 204, 404, 204, 204]
    assert "The first answers 200 and what the phone should show, the third 404, the others 204." in GUIDE
