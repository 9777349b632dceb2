"""The event bus by itself: ten events a call, what it does not take, and that nobody waits for it."""

import json
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from aws_lambda_powertools import Logger, Metrics
from botocore.exceptions import ClientError, EndpointConnectionError

from lockstep.envelope import SqsRecord
from lockstep.errors import InvalidInput
from lockstep.event_bus import EventBus
from lockstep.telemetry import Telemetry
from onebox.aws import EVENT_BUS
from onebox.stack import Stack
from tests.messages import NOW_S, sqs, update
from tests.outcomes import told

ARN = "arn:aws:cloudformation:us-east-1:123456789012:stack/lockstep/1"

# What PutEvents takes, with 14 bytes for the time ("Calculating PutEvents event entry size").
CALL_MAX_BYTES = 256 * 1024


class Side:
    """A bus, and the calls that it makes."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.now_s = float(NOW_S)
        self.calls: list[list[dict[str, Any]]] = []
        self._hooks: list[tuple[str, Callable[..., Any]]] = []
        self.on("provide-client-params", lambda params, **_: self.calls.append(list(params["Entries"])))
        self.said = StringIO()
        # Loggers of one name share what they print to, which was another test's.
        logger = Logger(service=str(uuid4()), stream=self.said)
        # And so do metrics: those of another test, which nobody handed over, are none of this one's.
        metrics = Metrics(namespace="Test", service="test")
        metrics.clear_metrics()
        self.telemetry = Telemetry(logger, metrics)
        self.bus = EventBus(stack.aws.events, EVENT_BUS, self.telemetry, stack=ARN, now=lambda: self.now_s)

    def on(self, event: str, act: Callable[..., Any]) -> None:
        """Meet the calls where botocore lets one."""
        self._hooks.append((f"{event}.events.PutEvents", act))
        self.stack.aws.events.meta.events.register(*self._hooks[-1])

    def close(self) -> None:
        for hook in self._hooks:
            self.stack.aws.events.meta.events.unregister(*hook)

    def tell(self, count: int, record: SqsRecord | None = None, error: InvalidInput | None = None) -> None:
        for i in range(count):
            self.bus.refused(record or SqsRecord.of(sqs(update(f"order-{i}"))), error or InvalidInput("aps", "is bad"))

    def flush(self, *, left_s: float = 30) -> None:
        self.bus.flush(end_s=self.now_s + left_s)

    def lost(self, capsys: pytest.CaptureFixture[str]) -> tuple[float, list[str]]:
        """Return how many events were counted as lost, and why, as it was logged."""
        self.telemetry.flush()
        metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        reasons = [json.loads(line)["reason"] for line in self.said.getvalue().splitlines()]
        return sum(sum(line["EventsLost"]) for line in metrics), reasons


@pytest.fixture
def side(stack: Stack) -> Iterator[Side]:
    side = Side(stack)
    yield side
    side.close()


def test_events_go_out_ten_a_call_and_once(side: Side, capsys: pytest.CaptureFixture[str]) -> None:
    side.tell(11)

    side.flush()
    side.flush()

    assert [len(call) for call in side.calls] == [10, 1]
    assert [event["activity"] for event in told(side.stack)] == [f"order-{i}" for i in range(11)]
    assert side.lost(capsys) == (0, [])


def test_where_nothing_was_told_nothing_is_sent(side: Side) -> None:
    side.flush()

    assert side.calls == []


def test_an_event_says_when_it_happened_and_of_which_stack_it_is(side: Side) -> None:
    side.tell(1)
    side.now_s += 40

    side.flush()

    [event] = side.stack.take_events()
    assert (event["time"], event["resources"], event["source"]) == ("2027-01-15T08:00:00Z", [ARN], "lockstep")


def refusing(*, times: int) -> Callable[..., None]:
    """Let EventBridge, which takes each entry by itself, refuse the third of a call, so many times."""
    left = times

    def refuse(parsed: dict[str, Any], **_: object) -> None:
        nonlocal left
        if left:
            left -= 1
            at = min(2, len(parsed["Entries"]) - 1)
            parsed["Entries"][at] = {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}
            parsed["FailedEntryCount"] = 1

    return refuse


def test_an_entry_that_was_refused_alone_is_sent_once_more_alone(
    side: Side, capsys: pytest.CaptureFixture[str]
) -> None:
    side.on("after-call", refusing(times=1))
    side.tell(4)

    side.flush()

    first, again = side.calls
    assert again == [first[2]]
    assert side.lost(capsys) == (0, ["ThrottlingException"])


def test_an_entry_that_is_refused_again_is_counted_and_lost(side: Side, capsys: pytest.CaptureFixture[str]) -> None:
    side.on("after-call", refusing(times=2))
    side.tell(4)

    side.flush()
    side.flush()

    assert [len(call) for call in side.calls] == [4, 1]
    assert side.lost(capsys) == (1, ["ThrottlingException"] * 2)


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://events.us-east-1.amazonaws.com/"),
        ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not you"}}, "PutEvents"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_eventbridge_that_takes_nothing_fails_nothing(
    side: Side, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fail(**_: object) -> None:
        raise error

    side.on("before-call", fail)
    side.tell(11)

    side.flush()

    count, [reason] = side.lost(capsys)
    assert count == 11
    assert reason.startswith(type(error).__name__)


@pytest.mark.parametrize(("after_s", "calls"), [(59, 1), (60, 2)])
def test_a_bus_that_failed_is_left_alone_for_a_minute(side: Side, after_s: int, calls: int) -> None:
    def fail(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://events.us-east-1.amazonaws.com/")

    side.on("before-call", fail)
    side.tell(25)
    side.flush()
    side.now_s += after_s
    side.tell(1)

    side.flush()

    assert len(side.calls) == calls


@pytest.mark.parametrize(("left_s", "calls"), [(6.9, 0), (7.1, 1)])
def test_no_call_begins_that_might_outlast_the_function(
    side: Side, capsys: pytest.CaptureFixture[str], left_s: float, calls: int
) -> None:
    side.tell(3)

    side.flush(left_s=left_s)

    assert len(side.calls) == calls
    assert side.lost(capsys)[0] == (0 if calls else 3)


@pytest.mark.parametrize(("count", "left_s", "calls"), [(99, 60, 0), (100, 60, 10), (100, 13, 0)])
def test_much_is_sent_between_two_pages_if_there_is_time(side: Side, count: int, left_s: float, calls: int) -> None:
    side.tell(count)

    side.bus.relieve(end_s=side.now_s + left_s)

    assert len(side.calls) == calls


def test_ten_of_the_longest_events_are_no_more_than_a_call_takes(side: Side) -> None:
    longest = SqsRecord.of(sqs(update("a" * 128), message_id="9" * 100))
    side.tell(10, longest, InvalidInput("𝄞" * 2000, "𝄞" * 2000))

    side.flush()

    [call] = side.calls
    assert sum(14 + sum(len(str(entry[key]).encode()) for key in entry if key != "Time") for entry in call) < (
        CALL_MAX_BYTES
    )
    assert len(told(side.stack)) == 10
