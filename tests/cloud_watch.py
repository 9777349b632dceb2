"""What CloudWatch would make of what functions print: sums of metrics, and which of the template's alarms that crosses."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tests.template import properties

# A metric's name and its dimensions.
type Metric = tuple[str, frozenset[tuple[str, str]]]

OURS = {"Fn::Sub": "Lockstep/${AWS::StackName}"}


def metric(described: Mapping[str, Any]) -> Metric:
    """Read which metric an alarm is about."""
    return described["MetricName"], frozenset((one["Name"], one["Value"]) for one in described["Dimensions"])


def watched(alarm: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the metrics of an alarm by their ids, as it describes them."""
    if "Metrics" not in alarm:
        return {"value": alarm}
    return {one["Id"]: one["MetricStat"]["Metric"] for one in alarm["Metrics"] if "MetricStat" in one}


def sums(lines: Iterable[str]) -> Counter[Metric]:
    """Add up the values of each metric that lines of EMF hold."""
    found: Counter[Metric] = Counter()
    for line in lines:
        said = json.loads(line) if line.startswith("{") else {}
        for directive in said.get("_aws", {}).get("CloudWatchMetrics", ()):
            for names in directive["Dimensions"]:
                dimensions = frozenset((name, said[name]) for name in names)
                for one in directive["Metrics"]:
                    value = said[one["Name"]]
                    found[one["Name"], dimensions] += sum(value) if isinstance(value, list) else value
    return found


def crossed(lines: Iterable[str]) -> set[str]:
    """Name the alarms on our own metrics that one period with these lines is too much for."""
    found, told = set(), sums(lines)
    for name, alarm in properties("AWS::CloudWatch::Alarm").items():
        seen = {id_: told.get(metric(one)) for id_, one in watched(alarm).items() if one["Namespace"] == OURS}
        # Where nothing was told there is nothing to compare, and all alarms take that for good.
        if seen and None not in seen.values() and value(alarm, seen) > alarm["Threshold"]:
            found.add(name)
    return found


def value(alarm: Mapping[str, Any], seen: Mapping[str, float | None]) -> float:
    """Work an alarm's expression out."""
    [expression] = [one["Expression"] for one in alarm.get("Metrics", ()) if "Expression" in one] or ["value"]
    # CloudWatch's metric math is near enough to Python's own, and the template is ours.
    return float(eval(expression, {"IF": lambda which, then, other: then if which else other}, dict(seen)))  # noqa: S307
