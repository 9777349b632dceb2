"""What the page on running a stack tells to do by hand, done."""

import re
import time
import tomllib

from lockstep.apns import Environment
from onebox.lock_screen import CardState
from onebox.stack import Stack
from tests.aws_command import AwsCommand
from tests.documents import ROOT, blocks, commands
from tests.messages import start, update
from tests.phones_side import RegisterSide
from tests.template import SOURCE

ORDER = "order-42"
PAGE = (ROOT / "docs" / "operations.md").read_text()


def test_a_stage_has_the_settings_of_the_stack_and_names_parameters_that_there_are() -> None:
    [block] = blocks("toml", document="operations.md")
    stage = tomllib.loads(block.text)["staging"]["deploy"]["parameters"]
    own = tomllib.loads((ROOT / "samconfig.toml").read_text())["default"]["deploy"]["parameters"]

    given = dict(one.split("=", 1) for one in stage.pop("parameter_overrides").split())

    assert stage == {**own, "stack_name": "lockstep-staging"}
    parameters = SOURCE["Parameters"]
    assert {name for name, one in parameters.items() if "Default" not in one} <= given.keys() <= parameters.keys()
    assert given["ApnsEnvironment"] in set(Environment)
    assert "sam deploy --config-env staging" in PAGE


def test_every_output_that_is_named_is_one_of_the_template() -> None:
    named = set(re.findall(r"outputs? `([A-Za-z]+)`", PAGE)) | {"TokensTableName", "SigningKeyArn"}

    assert {"DeliveryQueueUrl", "ActivitiesTableName"} <= named <= set(SOURCE["Outputs"])


def test_what_stays_when_a_stack_goes_is_what_the_page_says() -> None:
    kept = {name for name, one in SOURCE["Resources"].items() if one.get("DeletionPolicy") == "Retain"}

    assert kept == {"ActivitiesTable", "TokensTable", "SigningKey"}


def test_a_user_without_a_jwt_is_forgotten_by_the_message_of_the_page(stack: Stack) -> None:
    side = RegisterSide(stack)
    stack.phones.of("ana")
    stack.phones.of("ben")
    stack.phones.wait()
    stack.publish(start(ORDER, "ana"))
    stack.drain()
    assert side.owners() == {"ana", "ben"}
    variables = {
        "DELIVERY_QUEUE_URL": stack.aws.queues["DeliveryQueue"],
        "PUBLISH_DEAD_LETTER_QUEUE_URL": stack.aws.queues["PublishDeadLetterQueue"],
        "NOW": str(time.time_ns() // 1_000_000),
    }
    said = [words for block in blocks("sh", document="operations.md") for words in commands(block) if words[0] == "aws"]

    for words in said:
        AwsCommand.of(words, variables, folder=ROOT).run(stack.aws.url, region="us-east-1")
    stack.drain()

    assert any("forget" in word for words in said for word in words)
    assert side.owners() == {"ben"}


def test_a_lost_activities_table_ends_cards_at_the_first_publish_and_a_start_puts_up_new_ones(stack: Stack) -> None:
    phone = stack.phones.of("ana")
    stack.phones.wait()
    stack.publish(start(ORDER, "ana"))
    stack.drain()
    table = stack.aws.tables["ActivitiesTable"]
    for item in stack.aws.items(table):
        stack.aws.dynamodb.delete_item(TableName=table, Key={key: item[key] for key in ("activity", "part")})

    stack.publish(update(ORDER))
    stack.publish(start(ORDER, "ana"))
    stack.drain()

    old, new = phone.cards
    assert not old.is_running(time.time())
    assert new.state(time.time()) is CardState.ACTIVE


def test_a_restored_tokens_table_would_push_to_who_has_signed_out(stack: Stack) -> None:
    phone = stack.phones.of("ana")
    stack.phones.wait()
    table = stack.aws.tables["TokensTable"]
    before = stack.aws.items(table)
    phone.sign_out()
    stack.drain(hasten=True)

    for item in before:
        stack.aws.dynamodb.put_item(TableName=table, Item=item)
    stack.publish(start(ORDER, "ana"))
    stack.drain()

    assert len(stack.apns.received()) == 1
