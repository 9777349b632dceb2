"""What pages a person: from numbers that there are, about each thing that can go wrong, with a page that says what to do."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from aws_lambda_powertools import Logger, Metrics

from lockstep.apns import Environment
from lockstep.retries import STOPPED_DELAY_S
from lockstep.telemetry import Count, Telemetry
from onebox import ROOT
from onebox.apns.simulator import Fault
from onebox.stack import Stack
from tests.cloud_watch import OURS, crossed, metric, sums, value, watched
from tests.messages import update
from tests.pushing import ORDER, register_card, say, settle, started
from tests.template import TEMPLATE, named, properties, source_resources

ALARMS = properties("AWS::CloudWatch::Alarm")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()

# What AWS's services tell CloudWatch, of what is watched here, each with the dimension that names the resource (the pages
# "Available CloudWatch metrics for Amazon SQS", "Types of metrics for Lambda functions", "Monitor HTTP API metrics with
# CloudWatch" and "DynamoDB metrics and dimensions").
OF_AWS = {
    "AWS/SQS": ("QueueName", {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"}),
    "AWS/Lambda": ("FunctionName", {"Errors", "Throttles", "ConcurrentExecutions", "Duration"}),
    "AWS/ApiGateway": ("ApiId", {"Count", "4xx", "5xx", "Latency"}),
    "AWS/DynamoDB": ("TableName", {"ReadThrottleEvents", "WriteThrottleEvents"}),
}


def telemetry_of(service: str, monkeypatch: pytest.MonkeyPatch) -> Telemetry:
    """Make it as a function's file does."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", service)
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Lockstep/x")
    return Telemetry(Logger(), Metrics())


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> set[Any]:
    """Return every metric that push and sweep can tell CloudWatch, with its dimensions."""
    for service in ("push", "sweep"):
        telemetry = telemetry_of(service, monkeypatch)
        for count in Count:
            telemetry.count(count)
        telemetry.accepted_after(1)
        for environment in Environment:
            telemetry.channels(environment, 1)
        telemetry.flush()
    return set(sums(capsys.readouterr().out.splitlines()))


# --- what is watched


def test_every_alarm_is_about_a_metric_that_there_is(told: set[Any]) -> None:
    for name, alarm in ALARMS.items():
        for one in watched(alarm).values():
            if one["Namespace"] == OURS:
                assert metric(one) in told, name
            else:
                dimension, metrics = OF_AWS[one["Namespace"]]
                assert one["MetricName"] in metrics, name
                assert [each["Name"] for each in one["Dimensions"]] == [dimension], name


@pytest.mark.parametrize("measure", ["ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"])
def test_every_queue_is_watched(measure: str) -> None:
    dead = measure == "ApproximateNumberOfMessagesVisible"
    queues = {name for name in properties("AWS::SQS::Queue") if ("DeadLetter" in name) is dead}

    of_it = [one for one in ALARMS.values() if one.get("MetricName") == measure]
    assert sorted(named(one["Dimensions"][0]["Value"]) for one in of_it) == sorted(queues)
    assert not dead or {one["Threshold"] for one in of_it} == {0}, "one dead letter is one too many"


def test_a_message_that_waits_as_it_should_rings_for_nothing() -> None:
    """A retry waits up to 900 s; who meets a slice's lease, until the lease ends; a publish, until a function is free."""
    push = properties("AWS::Lambda::Function")["PushFunction"]["Timeout"]

    assert ALARMS["DeliveryAgeAlarm"]["Threshold"] >= 900 + push
    assert ALARMS["SliceAgeAlarm"]["Threshold"] >= 2 * (push + 5)
    assert ALARMS["PublishAgeAlarm"]["Threshold"] >= 2 * push


def test_every_alarm_is_heard_when_it_begins_and_when_it_is_over_and_never_for_want_of_data() -> None:
    heard = {"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}
    for name, alarm in ALARMS.items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == heard, name
        assert alarm["TreatMissingData"] == "notBreaching", name
        assert alarm["ComparisonOperator"] == "GreaterThanThreshold", name


@pytest.mark.parametrize("name", [name for name, one in ALARMS.items() if "sweep" in str(one.get("Dimensions"))])
def test_what_the_sweep_tells_every_five_minutes_is_not_over_between_two_sweeps(name: str) -> None:
    [rule] = properties("AWS::Events::Rule").values()
    assert rule["ScheduleExpression"] == "rate(5 minutes)"

    alarm = ALARMS[name]

    assert alarm["Period"] * alarm["EvaluationPeriods"] >= 2 * 300
    assert alarm["DatapointsToAlarm"] == 1


def test_a_key_that_does_not_work_rings_from_one_try_to_the_next() -> None:
    """What waits for a key comes again after a minute, and a rotation that is through by then rings for nobody."""
    alarm = ALARMS["SigningKeyAlarm"]

    assert alarm["Period"] * alarm["EvaluationPeriods"] > 2 * STOPPED_DELAY_S
    assert alarm["DatapointsToAlarm"] == 2


# --- what rings, and what does not


def lines(stack: Stack) -> list[str]:
    return [line for name in ("PushFunction", "SweepFunction") for line in stack.functions[name].log.lines]


def many_cards(stack: Stack, count: int) -> list[str]:
    """Register cards of the order for so many phones; returns their tokens."""
    tokens = [stack.apns.issue_token(Environment.PRODUCTION) for _ in range(count)]
    for number, token in enumerate(tokens):
        register_card(stack, f"device-{number}", token)
    settle(stack)
    return tokens


def test_where_all_is_well_nothing_rings(stack: Stack) -> None:
    started(stack, "ana", "ben")
    say(stack, update(minutes=3))

    assert crossed(lines(stack)) == set()
    assert sums(lines(stack))["Failed", frozenset({("service", "push")})] == 0


def test_a_key_that_apple_refuses_rings(stack: Stack) -> None:
    started(stack, "ana")
    stack.apns.faults.add(Fault("answer", status=403, reason="InvalidProviderToken"))

    say(stack, update(minutes=3))

    assert crossed(lines(stack)) == {"SigningKeyAlarm"}


def test_an_empty_secret_rings_before_anything_is_published(stack: Stack) -> None:
    [arn] = stack.aws.secret_arns.values()
    stack.aws.secrets.put_secret_value(SecretId=arn, SecretString="{}")
    stack.functions["SweepFunction"].restart()

    stack.functions["SweepFunction"].invoke({})

    stack.aws.secrets.put_secret_value(SecretId=arn, SecretString=stack.signing_key.secret())
    stack.functions["SweepFunction"].restart()
    assert crossed(lines(stack)) == {"SweepSigningKeyAlarm"}


@pytest.mark.parametrize(
    "fault",
    [Fault("answer", count=3, status=400, reason="DeviceTokenNotForTopic"), Fault("lost_answer", count=3)],
    ids=["rejected", "without an answer"],
)
def test_pushes_that_fail_ring(stack: Stack, fault: Fault) -> None:
    many_cards(stack, 25)
    say(stack, update(ORDER, minutes=3))
    for name in ("PushFunction", "SweepFunction"):
        stack.functions[name].log.clear()
    stack.apns.faults.add(fault)

    say(stack, update(ORDER, minutes=2))

    assert crossed(lines(stack)) == {"FailureAlarm"}


def test_phones_that_are_gone_are_no_failure(stack: Stack) -> None:
    tokens = many_cards(stack, 25)
    say(stack, update(ORDER, minutes=3))
    for token in tokens[:10]:
        stack.apns.kill_token(token)
    stack.functions["PushFunction"].log.clear()

    say(stack, update(ORDER, minutes=2))

    told = sums(lines(stack))
    assert told["Forgotten", frozenset({("service", "push")})] == 10
    assert crossed(lines(stack)) == set()


@pytest.mark.parametrize(("sent", "failed", "rings"), [(2, 2, False), (3, 3, True), (30, 3, False), (29, 3, True)])
def test_a_tenth_of_the_pushes_may_fail_and_two_in_any_case(sent: int, failed: int, rings: bool) -> None:
    alarm = ALARMS["FailureAlarm"]

    assert (value(alarm, {"sent": sent, "failed": failed}) > alarm["Threshold"]) is rings


def test_a_twentieth_of_the_phones_requests_may_fail() -> None:
    alarm = ALARMS["ApiErrorAlarm"]

    assert not value(alarm, {"requests": 20, "failed": 1}) > alarm["Threshold"]
    assert value(alarm, {"requests": 20, "failed": 2}) > alarm["Threshold"]


# --- what to do about it


def sections() -> dict[str, str]:
    """Return what the page says of each alarm."""
    found = re.findall(r"^### (\w+)\n\n(.*?)(?=\n#|\Z)", OPERATIONS, re.MULTILINE | re.DOTALL)
    return dict(found)


def test_each_alarm_has_its_paragraph_and_each_paragraph_its_alarm() -> None:
    assert list(sections()) == list(source_resources("AWS::CloudWatch::Alarm"))


@pytest.mark.parametrize("name", ALARMS)
def test_a_paragraph_says_what_it_means_what_to_look_at_and_what_to_do(name: str) -> None:
    said = sections()[name].lower()

    assert [part for part in ("**means**", "**look at**", "**do**") if part not in said] == []


# --- the dashboard


def filled(text: str) -> str:
    """Put something in place of what CloudFormation fills in; what there isn't raises."""

    def of(match: re.Match[str]) -> str:
        name, _, attribute = match[1].partition(".")
        assert name.startswith("AWS::") or name in TEMPLATE.resources, name
        return f"<{name}{'.' if attribute else ''}{attribute}>"

    return re.sub(r"\$\{([^}]+)\}", of, text)


def widgets() -> list[dict[str, Any]]:
    [dashboard] = properties("AWS::CloudWatch::Dashboard").values()
    body = json.loads(filled(dashboard["DashboardBody"]["Fn::Sub"]))
    assert set(body) == {"widgets"}
    return list(body["widgets"])


def shown() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield the metrics on the dashboard: namespace, name, dimensions."""
    for widget in widgets():
        for line in widget["properties"].get("metrics", ()):
            words = [word for word in line if isinstance(word, str)]
            if words:
                yield words[0], words[1], dict(zip(words[2::2], words[3::2], strict=True))


def test_the_dashboard_begins_with_the_time_from_publish_to_acceptance() -> None:
    first = widgets()[0]

    assert (first["x"], first["y"]) == (0, 0)
    assert [(line[1], line[-1]["stat"]) for line in first["properties"]["metrics"]] == [
        ("PublishToAcceptance", "p50"),
        ("PublishToAcceptance", "p95"),
        ("PublishToAcceptance", "p99"),
    ]


def test_the_dashboard_shows_every_alarm() -> None:
    [alarms] = [widget["properties"]["alarms"] for widget in widgets() if widget["type"] == "alarm"]

    assert alarms == [f"<{name}.Arn>" for name in source_resources("AWS::CloudWatch::Alarm")]


def test_every_number_on_the_dashboard_is_one_that_there_is(told: set[Any]) -> None:
    for namespace, name, dimensions in shown():
        if namespace == "Lockstep/<AWS::StackName>":
            assert (name, frozenset(dimensions.items())) in told
        else:
            dimension, metrics = OF_AWS[namespace]
            assert name in metrics
            assert list(dimensions) == [dimension]


def test_the_dashboard_finds_rejections_by_their_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry = telemetry_of("push", monkeypatch)
    telemetry.rejected("BadTopic")
    telemetry.flush()
    [(name, dimensions)] = sums(capsys.readouterr().out.splitlines())
    [search] = [
        line[0]["expression"]
        for widget in widgets()
        for line in widget["properties"].get("metrics", ())
        if isinstance(line[0], dict)
    ]

    names = ",".join(sorted(key for key, _ in dimensions))
    assert search == f"SEARCH('{{\"Lockstep/<AWS::StackName>\",{names}}} MetricName=\"{name}\"', 'Sum', 60)"


def test_widgets_have_the_dashboards_24_columns_and_lie_side_by_side() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in widgets():
        assert widget["x"] + widget["width"] <= 24
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken
        taken |= cells
