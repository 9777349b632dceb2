"""What an operator does to a deployed stack, against moto."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lockstep.provider_token import SigningKey
from onebox.aws import ENVIRONMENT
from onebox.environment import variables
from onebox.stack import Stack
from ops import key, redrive
from tests.aws_relay import relayed
from tests.documents import ROOT
from tests.messages import START_APS, update
from tests.pushing import ORDER, minutes, say, settle, started
from tests.roles import Call

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@pytest.fixture(autouse=True)
def _account(stack: Stack) -> Iterator[None]:
    """Let boto3 find the account on this machine, as an operator's profile does."""
    with variables({**ENVIRONMENT, "AWS_ENDPOINT_URL": stack.aws.url}):
        yield


@pytest.fixture
def deployed(stack: Stack) -> Iterator[tuple[str, str]]:
    """Deploy a stack that has the outputs of ours; returns its name and its secret."""
    secret = stack.aws.secrets.create_secret(Name="deployed")["ARN"]
    outputs = {"SigningKeyArn": secret} | {f"{name}Url": url for name, url in stack.aws.queues.items()}
    template = {
        "Resources": {"Nothing": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    client = boto3.client("cloudformation", endpoint_url=stack.aws.url)
    client.create_stack(StackName="deployed", TemplateBody=json.dumps(template))
    yield "deployed", secret
    client.delete_stack(StackName="deployed")
    stack.aws.secrets.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


def p8(path: Path, private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> Path:
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def put_key(file: Path, stack: str, *, key_id: str = "KEYID12345", team_id: str = "TEAMID1234") -> int:
    return key.main(["--p8", str(file), "--key-id", key_id, "--team-id", team_id, "--stack", stack])


def test_a_key_is_put_where_push_reads_it_and_never_printed(
    stack: Stack, deployed: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, secret = deployed
    file = p8(tmp_path / "AuthKey_KEYID12345.p8", ec.generate_private_key(ec.SECP256R1()))

    assert put_key(file, name) == 0

    text = stack.aws.secrets.get_secret_value(SecretId=secret)["SecretString"]
    assert SigningKey.from_json(text) == SigningKey("TEAMID1234", "KEYID12345", file.read_text())
    printed = capsys.readouterr()
    assert "PRIVATE" not in printed.out + printed.err
    assert file.read_text().splitlines()[1] not in printed.out + printed.err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key_id": "KEYID1234"}, "KEY_ID"),
        ({"team_id": "teamid1234"}, "TEAM_ID"),
        ({"stack": "no-such-stack"}, "STACK"),
        ({"file": "rsa"}, "P-256"),
        ({"file": "p384"}, "P-256"),
        ({"file": "text"}, "private key"),
        ({"file": "none"}, "there is no file"),
    ],
    ids=str,
)
def test_what_is_no_key_is_refused_and_nothing_is_put(
    stack: Stack,
    deployed: tuple[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, str],
    words: str,
) -> None:
    name, secret = deployed
    files = {
        "": p8(tmp_path / "good.p8", ec.generate_private_key(ec.SECP256R1())),
        "rsa": p8(tmp_path / "rsa.p8", rsa.generate_private_key(65537, 2048)),
        "p384": p8(tmp_path / "p384.p8", ec.generate_private_key(ec.SECP384R1())),
        "text": tmp_path / "text.p8",
        "none": tmp_path / "none.p8",
    }
    files["text"].write_text("not a key")
    ids = {part: change[part] for part in ("key_id", "team_id") if part in change}

    assert put_key(files[change.get("file", "")], change.get("stack", name), **ids) == 1

    printed = capsys.readouterr().err
    assert words in printed
    assert "BEGIN" not in printed
    with pytest.raises(stack.aws.secrets.exceptions.ResourceNotFoundException):
        stack.aws.secrets.get_secret_value(SecretId=secret)


def test_what_is_missing_is_named_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert key.main(["--p8", "", "--key-id", "", "--team-id", "", "--stack", "lockstep"]) == 2
    assert "P8, TEAM_ID missing. For example: make key P8=AuthKey_KEYID12345.p8" in capsys.readouterr().err

    assert redrive.main(["--stack", ""]) == 2
    assert "make redrive STACK=lockstep" in capsys.readouterr().err


def test_a_redriven_state_that_was_superseded_meanwhile_stays_superseded(
    stack: Stack, deployed: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Dead-lettered by push itself: the place in time is an attribute."""
    name, _ = deployed
    [ana] = started(stack, "ana")
    say(stack, update(minutes=9), sent_at_ms=int(time.time() * 1000))
    old = {"published_at_ms": str(int(time.time() * 1000) - 60_000), "reason": "failed 4 times"}
    stack.queues.send("PublishDeadLetterQueue", update(minutes=20), attributes=old)

    assert redrive.main(["--stack", name]) == 0
    settle(stack)

    assert minutes(ana) == 9
    assert stack.queues.count("PublishDeadLetterQueue") == 0
    assert "1 messages of PublishDeadLetterQueue sent to PublishQueue" in capsys.readouterr().out


def test_a_redriven_message_that_sqs_put_aside_keeps_the_time_it_was_sent(stack: Stack) -> None:
    """Dead-lettered by SQS after crashes: it carries no attribute of ours."""
    [ana] = started(stack, "ana")
    stack.queues.send("PublishDeadLetterQueue", {"activity": ORDER, "aps": {**START_APS, "event": "update"}})
    time.sleep(0.005)  # SQS stamps whole milliseconds
    say(stack, update(minutes=9), sent_at_ms=int(time.time() * 1000))

    moved = redrive.redrive(
        stack.aws.sqs, stack.aws.queues["PublishDeadLetterQueue"], stack.aws.queues["PublishQueue"], wait_s=0
    )
    settle(stack)

    assert moved == redrive.Redriven(sent=1, left=0)
    assert minutes(ana) == 9


@pytest.mark.parametrize("said", [str(2**42), "soon"])
def test_what_a_producer_says_of_the_future_does_not_make_a_redriven_message_new(stack: Stack, said: str) -> None:
    stack.queues.send("PublishDeadLetterQueue", "{}", attributes={"published_at_ms": said})
    time.sleep(0.01)
    moved_ms = int(time.time() * 1000)

    dead_letters, destination = stack.aws.queues["PublishDeadLetterQueue"], stack.aws.queues["PublishQueue"]
    assert redrive.redrive(stack.aws.sqs, dead_letters, destination, wait_s=0).sent == 1

    [message] = stack.queues.look("PublishQueue")
    assert int(message.attributes["published_at_ms"]) < moved_ms


def test_a_message_that_was_never_delivered_is_delivered_by_its_redrive(stack: Stack) -> None:
    [ana] = started(stack, "ana")
    stack.queues.send("PublishDeadLetterQueue", update(minutes=4), attributes={"reason": "failed 4 times"})

    redrive.redrive(
        stack.aws.sqs, stack.aws.queues["PublishDeadLetterQueue"], stack.aws.queues["PublishQueue"], wait_s=0
    )
    settle(stack)

    assert minutes(ana) == 4


@contextmanager
def at_once(stack: Stack, sends_max: int) -> Iterator["SQSClient"]:
    """Return a client after each of whose messages push handles what there is, before it can send another."""
    sends = 0

    def handle(**_: object) -> None:
        nonlocal sends
        sends += 1
        assert sends <= sends_max, "it goes on and on"
        stack.drain()

    sqs = boto3.client("sqs", endpoint_url=stack.aws.url)
    sqs.meta.events.register("after-call.sqs.SendMessage", handle)
    yield sqs


def test_what_is_refused_again_comes_back_once_and_ends_the_redrive(stack: Stack) -> None:
    for number in range(12):
        stack.queues.send("PublishDeadLetterQueue", {"activity": f"order-{number}", "aps": {"event": "update"}})

    with at_once(stack, sends_max=12) as sqs:
        done = redrive.redrive(
            sqs, stack.aws.queues["PublishDeadLetterQueue"], stack.aws.queues["PublishQueue"], wait_s=0
        )

    # Push puts each back at once, so that those before the last batch are met again.
    assert done.sent == 12
    assert done.left >= 10
    letters = stack.queues.look("PublishDeadLetterQueue")
    assert {json.loads(letter.body)["activity"] for letter in letters} == {f"order-{number}" for number in range(12)}
    assert all("content-state" in letter.attributes["reason"] for letter in letters)


def test_a_long_redrive_goes_on_for_as_long_as_it_meets_older_letters() -> None:
    """What came back is met again each time that its hold is over."""
    sqs = boto3.client("sqs")
    began_ms = 1_800_000_000_000

    def received(*letters: tuple[str, int]) -> dict[str, Any]:
        said = {"ResponseMetadata": {"HTTPHeaders": {"date": "Fri, 15 Jan 2027 08:00:00 GMT"}}}
        return said | {
            "Messages": [
                {"MessageId": name, "ReceiptHandle": name, "Body": name, "Attributes": {"SentTimestamp": str(sent_ms)}}
                for name, sent_ms in letters
            ]
        }

    old, back_ms = began_ms - 1, began_ms + 1_000
    batches = [
        [("a", old), ("back", back_ms)],
        [("b", old), ("back", back_ms)],
        [("back", back_ms)],
    ]
    names = (
        "QueueUrl",
        "MaxNumberOfMessages",
        "VisibilityTimeout",
        "MessageSystemAttributeNames",
        "MessageAttributeNames",
    )
    # A wait of at least a second: less may find nothing where there is something.
    asked = {**dict.fromkeys(names, ANY), "WaitTimeSeconds": 1}
    with Stubber(sqs) as stub:
        for letters in batches:
            stub.add_response("receive_message", received(*letters), asked)
            for _ in (letter for letter in letters if letter[1] == old):
                stub.add_response("send_message", {})
                stub.add_response("delete_message", {})
        stub.add_response("change_message_visibility_batch", {"Successful": [], "Failed": []})

        assert redrive.redrive(sqs, "dead-letters", "queue") == redrive.Redriven(sent=2, left=1)

        stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("here_ms", "clock_ms"),
    [(0, 1_800_000_000_000), (1_800_000_000_250, 1_800_000_000_250), (1_900_000_000_000, 1_800_000_000_999)],
    ids=["slow", "right", "fast"],
)
def test_the_moment_of_a_redrive_is_told_by_the_clock_of_sqs(here_ms: int, clock_ms: int) -> None:
    assert redrive.clock_ms("Fri, 15 Jan 2027 08:00:00 GMT", here_ms=here_ms) == clock_ms


def test_an_unknown_stack_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert redrive.main(["--stack", "no-such-stack"]) == 1
    assert "no-such-stack is not in this account and us-east-1" in capsys.readouterr().err


# --- who may run them


def permitted() -> set[Call]:
    """Return what the page on running a stack says that each command needs; explain's request is no call of boto3."""
    section = (ROOT / "docs" / "operations.md").read_text().split("\n## Who may do what\n")[1].partition("\n## ")[0]
    needed, command = set[Call](), ""
    for first, actions, resources in re.findall(r"^\| (.*?) ?\| (`.*?) \| (`.*?) \|$", section, re.MULTILINE):
        command = first.strip("`") or command
        pairs = (
            (action, one) for action in re.findall(r"`(.*?)`", actions) for one in re.findall(r"`(.*?)`", resources)
        )
        needed |= {Call(command, action, one) for action, one in pairs if command != "make explain"}
    return needed | {Call(command, "cloudformation:DescribeStacks", "") for command in ("make key", "make redrive")}


def test_the_commands_ask_of_aws_what_the_page_says_that_they_need_and_nothing_else(
    stack: Stack, deployed: tuple[str, str], tmp_path: Path
) -> None:
    name, secret = deployed
    file = p8(tmp_path / "AuthKey_KEYID12345.p8", ec.generate_private_key(ec.SECP256R1()))
    for source in ("Publish", "Delivery", "Slice"):
        stack.queues.send(f"{source}DeadLetterQueue", "{}")

    with relayed(stack.aws.url, "make key") as (url, of_key), variables({"AWS_ENDPOINT_URL": url}):
        assert put_key(file, name) == 0
    with relayed(stack.aws.url, "make redrive") as (url, of_redrive), variables({"AWS_ENDPOINT_URL": url}):
        assert redrive.main(["--stack", name]) == 0

    asked = {call._replace(resource="SigningKey") if call.resource == secret else call for call in of_key | of_redrive}
    assert asked == permitted()
