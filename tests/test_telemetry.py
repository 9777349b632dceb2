"""What CloudWatch is told."""

import json
from typing import Any

import pytest
from aws_lambda_powertools import Logger, Metrics

from lockstep.telemetry import Count, Telemetry


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry(Logger(service="test"), Metrics(namespace="Lockstep", service="push"))


def emitted(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_counts_are_summed_and_flushed_once(telemetry: Telemetry, capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.count(Count.SENT)
    telemetry.count(Count.SENT, 2)
    telemetry.count(Count.ACCEPTED)

    telemetry.flush()
    telemetry.flush()

    [line] = emitted(capsys)
    assert (line["Sent"], line["Accepted"], line["service"]) == ([3.0], [1.0], "push")


def test_that_no_push_failed_is_told_where_there_were_pushes(
    telemetry: Telemetry, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.accepted()
    telemetry.push_rejected("Unregistered", failed=False)
    telemetry.flush()
    telemetry.unanswered()
    telemetry.push_rejected("BadTopic", failed=True)
    telemetry.flush()

    first, second = [line for line in emitted(capsys) if "Sent" in line]
    assert (first["Sent"], first["Failed"], "Unanswered" in first) == ([2.0], [0.0], False)
    assert (second["Sent"], second["Failed"], second["Unanswered"]) == ([2.0], [2.0], [1.0])


def test_rejections_are_counted_by_reason(telemetry: Telemetry, capsys: pytest.CaptureFixture[str]) -> None:
    for reason in ("Unregistered", "TooManyRequests", "Unregistered"):
        telemetry.rejected(reason)

    telemetry.flush()
    telemetry.flush()

    lines = emitted(capsys)
    assert len(lines) == 2
    assert {line["reason"]: line["Rejected"] for line in lines} == {"Unregistered": [2.0], "TooManyRequests": [1.0]}
    assert all("reason" in line["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0] for line in lines)


def test_the_time_to_acceptance_is_in_milliseconds_and_never_negative(
    telemetry: Telemetry, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.accepted_after(120)
    telemetry.accepted_after(-5)

    telemetry.flush()

    [line] = emitted(capsys)
    assert line["PublishToAcceptance"] == [120.0, 0.0]
    assert line["_aws"]["CloudWatchMetrics"][0]["Metrics"] == [{"Name": "PublishToAcceptance", "Unit": "Milliseconds"}]


def test_where_nothing_happened_nothing_is_said(telemetry: Telemetry, capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.flush()

    assert emitted(capsys) == []


def test_what_is_counted_has_these_names_in_cloudwatch(
    telemetry: Telemetry, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in Count:
        telemetry.count(name)

    telemetry.flush()

    [line] = emitted(capsys)
    [said] = line["_aws"]["CloudWatchMetrics"]
    assert said["Namespace"] == "Lockstep"
    assert {(metric["Name"], metric["Unit"]) for metric in said["Metrics"]} == {
        (name, "Count")
        for name in (
            "Published",
            "Superseded",
            "Refused",
            "Sent",
            "Accepted",
            "Unanswered",
            "Failed",
            "Retried",
            "Forgotten",
            "PriorityLowered",
            "ClosedAfterEightHours",
            "EndsRepeated",
            "ChannelsDeleted",
            "ChannelsOfOthers",
            "EventsLost",
            "PublishedInTheFuture",
            "SigningKeyUnusable",
        )
    }
