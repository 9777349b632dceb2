"""What onebox takes from the template."""

from pathlib import Path

import pytest

from onebox import ROOT
from onebox.template import IAM, QueueSource, Schedule, Template

SMALL = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.13, CodeUri: functions/, Environment: {Variables: {SHARED: "1"}}}}
Resources:
  Api: {Type: AWS::Serverless::HttpApi, Properties: {}}
  Queue: {Type: AWS::SQS::Queue}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: elsewhere/
      Handler: one.handler
      Environment: {Variables: {OWN: !Ref Queue}}
      Events:
        Open: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: GET, Path: /open}}
        Queue: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn}}
"""


@pytest.fixture(scope="module")
def template() -> Template:
    return Template.load(ROOT / "template.yaml", region="us-east-1")


def test_functions_are_found_with_their_code_and_limits(template: Template) -> None:
    found = {spec.logical_id: (spec.code, spec.handler, spec.timeout_s) for spec in template.functions}

    assert found == {
        "ExplainFunction": (ROOT / "functions", "explain.handler", 20),
        "PushFunction": (ROOT / "functions", "push.handler", 60),
        "RegisterFunction": (ROOT / "functions", "register.handler", 10),
        "SweepFunction": (ROOT / "functions", "sweep.handler", 120),
    }


def test_three_queues_feed_push(template: Template) -> None:
    assert sorted(template.queue_sources(), key=lambda one: one.queue) == [
        QueueSource("PushFunction", "DeliveryQueue", 10, reports_failures=True),
        QueueSource("PushFunction", "PublishQueue", 10, reports_failures=True),
        QueueSource("PushFunction", "SliceQueue", 1, reports_failures=True),
    ]


def test_every_route_has_an_authorizer(template: Template) -> None:
    routes = template.routes()

    assert "PUT /v1/devices/{device}" in {route.key for route in routes}
    assert {route.key: route.authorizer for route in routes if route.authorizer != "Jwt"} == {
        "GET /v1/activities/{activity}": IAM
    }
    assert {name: one.issuer for name, one in template.authorizers().items()} == {"Jwt": {"Ref": "JwtIssuer"}}


def test_what_the_template_leaves_out_gets_the_defaults_of_aws(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(SMALL)

    small = Template.load(path, region="us-east-1")

    [spec] = small.functions
    assert (spec.code, spec.timeout_s, spec.memory_mb) == (tmp_path / "elsewhere", 3, 128)
    assert spec.environment == {"SHARED": "1", "OWN": {"Ref": "Queue"}}
    assert small.queue_sources() == [QueueSource("Function", "Queue", 10, reports_failures=False)]
    assert [(route.key, route.authorizer) for route in small.routes()] == [("GET /open", None)]


def test_the_sweep_is_invoked_by_the_clock(template: Template) -> None:
    assert template.schedules() == [Schedule("SweepFunction", 300)]
