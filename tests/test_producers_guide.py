"""The guide for services: its blocks are run against a simulated AWS, and what comes of them is looked for on the phones."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import hcl2
import jmespath
import pytest
from cfnlint.api import lint
from jsonpath_ng.parser import parse as json_path
from moto.core.config import default_user_config

from onebox.aws import ENVIRONMENT, REGION
from onebox.lock_screen import CardState
from onebox.phone import Phone
from onebox.stack import Stack
from tests.aws_command import AwsCommand
from tests.curl import by_curl
from tests.documents import ROOT, Block, blocks, commands
from tests.messages import read, start

ORDER = "order-42"
GUIDE = (ROOT / "docs" / "producers.md").read_text()
OUTPUTS = (ROOT / "template.yaml").read_text().split("\nOutputs:")[1]


def of(language: str, *, under: str) -> list[Block]:
    """Return the guide's blocks of a language under a heading."""
    lines = GUIDE.splitlines()
    [first] = [number for number, line in enumerate(lines, 1) if line == f"## {under}"]
    last = next((n for n, line in enumerate(lines[first:], first + 1) if line.startswith("## ")), len(lines))
    found = [one for one in blocks(language, document="producers.md") if first < one.line < last]
    assert found
    return found


@pytest.fixture
def phone(stack: Stack) -> Phone:
    """Return Ana's phone, which shows an order that started an hour ago."""
    phone = stack.phones.of("ana")
    stack.phones.wait()
    stack.publish(start(ORDER, "ana", published_at_ms=now_ms() - 3_600_000))
    stack.drain()
    assert phone.shows(ORDER)
    return phone


@pytest.fixture
def variables(stack: Stack) -> dict[str, str]:
    """Return what the guide's commands find in their environment."""
    url = stack.aws.queues["PublishQueue"]
    arn = stack.aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    with client(stack, "sns") as sns:
        topic = sns.create_topic(Name="orders")["TopicArn"]
    return {
        "PUBLISH_QUEUE_URL": url,
        "PUBLISH_QUEUE_ARN": arn,
        "PUBLISH_DEAD_LETTER_QUEUE_URL": stack.aws.queues["PublishDeadLetterQueue"],
        "PUBLISH_ROLE_ARN": "arn:aws:iam::123456789012:role/publish",
        "TOPIC_ARN": topic,
    }


@contextmanager
def client(stack: Stack, service: str) -> Iterator[Any]:
    """Return a client of any service of the simulated AWS."""
    made = boto3.client(  # type: ignore[call-overload]  # the service is named at run time
        service, endpoint_url=stack.aws.url, region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x"
    )
    try:
        yield made
    finally:
        made.close()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def run(stack: Stack, variables: dict[str, str], *, under: str) -> list[AwsCommand]:
    """Run the commands under a heading, one after the other, and what is queued by each."""
    made = []
    for block in of("sh", under=under):
        for words in commands(block):
            command = AwsCommand.of(words, variables, folder=ROOT)
            command.run(stack.aws.url, region=REGION)
            made.append(command)
            stack.drain()
    return made


def test_every_block_is_tried_by_a_test_here() -> None:
    tried = {
        "What to get right once": ["sh", "json"],
        "Try it on your machine": ["sh"],
        "boto3": ["python"],
        "AWS CLI": ["sh", "sh"],
        "SNS": ["sh"],
        "An EventBridge rule": ["sh", "yaml", "json"],
        "A Pipe": ["yaml"],
        "Step Functions": ["json"],
        "EventBridge Scheduler: a scheduled end": ["sh", "yaml"],
        "Past eight hours": ["python"],
        "Terraform": ["hcl"],
    }
    sections = re.split(r"^## (.+)$", GUIDE, flags=re.MULTILINE)[1:]
    found = {
        heading: re.findall(r"^ *```([a-z]+)$", text, re.MULTILINE)
        for heading, text in zip(sections[::2], sections[1::2], strict=True)
    }

    assert {heading: languages for heading, languages in found.items() if languages} == tried


def test_every_output_that_is_named_or_asked_for_is_one_of_the_template() -> None:
    named = set(re.findall(r"output `([A-Za-z]+)`|outputs\[\"(\w+)\"\]|OutputKey=='(\w+)'", GUIDE))
    outputs = {name for names in named for name in names if name}

    assert {"PublishQueueArn", "PublishQueueUrl"} <= outputs
    assert all(re.search(rf"^  {name}:", OUTPUTS, re.MULTILINE) for name in outputs)


def test_the_queues_address_is_found_in_the_outputs() -> None:
    names, words = commands(of("sh", under="What to get right once")[0])
    command = AwsCommand.of(words, {}, folder=ROOT)
    stacks = {"Stacks": [{"Outputs": [{"OutputKey": "PublishQueueUrl", "OutputValue": "https://queue"}]}]}

    assert names == ["export", "PUBLISH_QUEUE_URL"]
    assert command.parameters == {"StackName": "lockstep"}
    assert jmespath.search(command.query, stacks) == ["https://queue"]


def test_what_is_read_of_a_running_onebox_is_there_and_a_phone_is_made_by_the_command(stack: Stack) -> None:
    names, *said = commands(of("sh", under="Try it on your machine")[0])
    asked = [words[2].removeprefix(".") for words in said if words[0] == "jq"]
    make, show = [
        [word.replace("$CONTROL", stack.control.url) for word in words] for words in said if words[0] == "curl"
    ]

    assert set(asked) <= stack.endpoints().keys()
    assert {"PUBLISH_QUEUE_URL", "AWS_ENDPOINT_URL", "CONTROL"} <= set(names)
    assert by_curl(make)[0] == 200
    status, phones = by_curl(show)
    assert (status, [phone["user"] for phone in phones]) == (200, ["ana"])


def test_the_policy_is_one(stack: Stack) -> None:
    [block] = of("json", under="What to get right once")

    with client(stack, "iam") as iam:
        # moto refuses a policy that is none.
        iam.create_policy(PolicyName="publish", PolicyDocument=block.text)
        with pytest.raises(iam.exceptions.MalformedPolicyDocumentException):
            iam.create_policy(PolicyName="none", PolicyDocument=block.text.replace("Allow", "Perhaps"))


@pytest.fixture
def python(stack: Stack, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Return the names that the guide's Python makes, in a service of this account."""
    given = {**ENVIRONMENT, "AWS_ENDPOINT_URL": stack.aws.url, **variables}
    for name, value in given.items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    names: dict[str, Any] = {}
    yield names
    names["sqs"].close()


def execute(source: str, names: dict[str, Any]) -> None:
    exec(source, names)  # noqa: S102 it is the guide's own


def test_what_boto3_publishes_is_shown(stack: Stack, python: dict[str, Any]) -> None:
    phone = stack.phones.of("ana")
    stack.phones.wait()
    [block] = of("python", under="boto3")

    execute(block.text, python)
    stack.drain()

    assert phone.shows(ORDER) == {"driver": "Ana", "minutes": 7}
    assert len(phone.starts(ORDER)) == 1


def test_what_carries_on_past_eight_hours_puts_a_new_card_in_the_place_of_the_old(
    stack: Stack, phone: Phone, python: dict[str, Any]
) -> None:
    execute(of("python", under="boto3")[0].text.partition("\n\n\npublish(")[0], python)

    execute(of("python", under="Past eight hours")[0].text, python)
    stack.drain(hasten=True)

    old, new = phone.cards
    assert old.run is not None
    assert new.run is not None
    assert old.run < new.run
    assert (old.state(time.time() + 1), new.state(time.time())) == (CardState.DISMISSED, CardState.ACTIVE)
    assert phone.shows(ORDER) == {"driver": "Ben", "minutes": 45}


def test_a_start_without_an_end_before_it_makes_no_new_card(stack: Stack, phone: Phone) -> None:
    stack.publish(start(ORDER, "ana"))
    stack.drain()

    assert len(phone.cards) == 1


def test_what_the_cli_publishes_is_shown_and_ended(stack: Stack, phone: Phone, variables: dict[str, str]) -> None:
    update, end, look = run(stack, variables, under="AWS CLI")

    card = phone.card(ORDER)
    assert card is not None
    assert card.content_state == {"driver": "Ana", "minutes": 0}
    assert card.state(time.time() + 1) is CardState.ENDED
    assert [update.parameters["QueueUrl"], end.parameters["QueueUrl"]] == [variables["PUBLISH_QUEUE_URL"]] * 2
    assert look.parameters["MessageAttributeNames"] == ["All"]


def test_what_is_refused_is_found_by_the_command_that_looks(stack: Stack, variables: dict[str, str]) -> None:
    stack.publish({"activity": ORDER, "aps": {"event": "updated"}})
    stack.drain()
    *_, look = [one for block in of("sh", under="AWS CLI") for one in commands(block)]

    [found] = AwsCommand.of(look, variables, folder=ROOT).run(stack.aws.url, region=REGION)["Messages"]

    assert found["MessageAttributes"]["reason"]["StringValue"] == "aps.event: must be start, update or end"


def test_what_a_topic_hears_is_shown(stack: Stack, phone: Phone, variables: dict[str, str]) -> None:
    run(stack, variables, under="SNS")

    assert phone.shows(ORDER) == {"driver": "Ana", "minutes": 4}


def test_a_topic_may_deliver_raw(stack: Stack, phone: Phone, variables: dict[str, str]) -> None:
    subscribe, publish = [one for block in of("sh", under="SNS") for one in commands(block)]
    raw = [*subscribe, "--attributes", '{"RawMessageDelivery": "true"}']

    for words in (raw, publish):
        AwsCommand.of(words, variables, folder=ROOT).run(stack.aws.url, region=REGION)
    stack.drain()

    assert phone.shows(ORDER) == {"driver": "Ana", "minutes": 4}


def test_an_event_made_for_it_is_shown(stack: Stack, phone: Phone, variables: dict[str, str]) -> None:
    run(stack, variables, under="An EventBridge rule")

    assert phone.shows(ORDER) == {"driver": "Ana", "minutes": 3}


def test_an_event_that_was_there_before_is_shown(stack: Stack, phone: Phone, variables: dict[str, str]) -> None:
    [rule], [event] = (of(language, under="An EventBridge rule") for language in ("yaml", "json"))
    with client(stack, "cloudformation") as cloudformation:
        cloudformation.create_stack(
            StackName="orders",
            TemplateBody=rule.text,
            Parameters=[{"ParameterKey": "PublishQueueArn", "ParameterValue": variables["PUBLISH_QUEUE_ARN"]}],
        )
    entry = json.loads(event.text)
    entry["Detail"]["at_ms"] = now_ms()

    with client(stack, "events") as events:
        events.put_events(Entries=[{**entry, "Detail": json.dumps(entry["Detail"])}])
    stack.drain()

    assert phone.shows(ORDER) == {"driver": "Ana", "minutes": 2}


def test_a_pipes_template_makes_a_publish() -> None:
    [block] = of("yaml", under="A Pipe")
    [template] = re.findall(r"InputTemplate: >-\n((?: {10}.*\n)+)", block.text)
    message = {"body": {"order": 42, "at_ms": now_ms(), "driver": "Ana", "minutes": 1}}

    def filled(found: re.Match[str]) -> str:
        [value] = json_path(found[1]).find(message)
        return value.value if isinstance(value.value, str) else json.dumps(value.value)

    body = json.loads(re.sub(r"<(\$[^>]+)>", filled, template))

    publish = read(body, at_ms=now_ms())
    assert publish.activity == ORDER
    assert publish.registers.state is not None
    assert publish.registers.state.value["content-state"] == {"driver": "Ana", "minutes": 1}
    assert publish.version.published_at_ms == message["body"]["at_ms"]


def test_what_a_state_machine_says_is_shown(
    stack: Stack, phone: Phone, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    [definition] = of("json", under="Step Functions")
    # moto runs state machines where it is told to, and reaches the queue by its own address.
    monkeypatch.setitem(default_user_config, "stepfunctions", {"execute_state_machine": True})
    monkeypatch.setenv("MOTO_PORT", stack.aws.url.rpartition(":")[2])
    given = {"queue": variables["PUBLISH_QUEUE_URL"], "order": 42, "driver": "Ben", "minutes": 9}

    with client(stack, "stepfunctions") as machines:
        role = "arn:aws:iam::123456789012:role/orders"
        machine = machines.create_state_machine(name="orders", definition=definition.text, roleArn=role)
        execution = machines.start_execution(stateMachineArn=machine["stateMachineArn"], input=json.dumps(given))
        status = ended(machines, execution["executionArn"])
    stack.drain()

    assert status == "SUCCEEDED"
    assert phone.shows(ORDER) == {"driver": "Ben", "minutes": 9}


def ended(machines: Any, execution: str) -> str:
    """Return how an execution ended, as soon as it has."""
    until_s = time.monotonic() + 10
    while time.monotonic() < until_s:
        status: str = machines.describe_execution(executionArn=execution)["status"]
        if status != "RUNNING":
            return status
    raise TimeoutError("the execution still runs")


def test_what_a_schedule_will_send_ends_the_card(stack: Stack, phone: Phone, variables: dict[str, str]) -> None:
    [command] = run(stack, variables, under="EventBridge Scheduler: a scheduled end")
    with client(stack, "scheduler") as scheduler:
        made = scheduler.get_schedule(Name=command.parameters["Name"])

    stack.publish(made["Target"]["Input"])
    stack.drain()

    assert made["Target"]["Arn"] == variables["PUBLISH_QUEUE_ARN"]
    card = phone.card(ORDER)
    assert card is not None
    assert card.state(time.time() + 1) is CardState.ENDED


@pytest.mark.parametrize("block", blocks("yaml", document="producers.md"), ids=str)
def test_every_template_is_one_of_cloudformation(block: Block) -> None:
    assert linted(block.text) == []


def test_a_template_that_is_none_is_noticed() -> None:
    [block] = of("yaml", under="A Pipe")

    assert linted(block.text.replace("InputTemplate", "Template"))


def linted(template: str) -> list[str]:
    """Return what cfn-lint finds wrong where there are Pipes; what it merely advises is left out."""
    found = lint(template, regions=["eu-central-1"])
    return [f"{one.rule.id} {one.message}" for one in found if not one.rule.id.startswith("I")]


def test_terraform_speaks_of_what_it_declares_and_of_a_role_of_the_readers() -> None:
    [block] = of("hcl", under="Terraform")

    parsed = hcl2.loads(block.text)

    data, resources = (
        {
            ".".join((kind, name))
            for one in parsed[key]
            for kind, named in unquoted(one).items()
            for name in unquoted(named)
        }
        for key in ("data", "resource")
    )
    spoken_of = (
        set(re.findall(r"data\.(\w+\.\w+)", block.text)),
        set(re.findall(r"(?<![.\w])(aws_\w+\.\w+)", block.text)),
    )
    assert spoken_of == (data, {"aws_iam_role.orders"})
    assert resources == {"aws_iam_role_policy.orders_publish", "aws_lambda_function.orders"}


def unquoted(block: dict[str, Any]) -> dict[str, Any]:
    """Return a block of HCL by the names that its parser leaves in quotes."""
    return {name.strip('"'): value for name, value in block.items()}
