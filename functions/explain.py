"""API Gateway-triggered: why an activity shows, or doesn't, for operators. Reads, and never writes."""

import os
import random
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.logging import correlation_paths
from snapshot_restore_py import register_after_restore

from lockstep import http
from lockstep.aws_clients import dynamodb_client
from lockstep.errors import InvalidInput
from lockstep.explanation import explain
from lockstep.inquiry import Inquiry
from lockstep.pace import Pace
from lockstep.settings import ExplainSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

# What was read by this long before the function would be killed has to do.
RESERVE_S = 5

# Where Lambda starts functions from a snapshot (SnapStart), all would spread their retries by the same numbers.
register_after_restore(random.seed)

settings = ExplainSettings.from_env(os.environ)
logger = Logger()
app = APIGatewayHttpResolver()

dynamodb = dynamodb_client()

inquiry = Inquiry(
    dynamodb,
    activities_table=settings.activities_table,
    tokens_table=settings.tokens_table,
    now=time.time,
)
pace = Pace(settings.min_update_interval_s * 1000, settings.priority_budget)


@app.get("/v1/activities/<activity>")
def explain_activity(activity: str) -> Response[str]:
    """Say why an activity shows, or doesn't."""
    caller = http.operator_of(app.current_event, local_user=settings.local_user)
    http.check_id("activity", activity)
    with_state = http.flag("state", app.current_event.get_query_string_value("state"))
    logger.append_keys(activity=activity, caller=caller, with_state=with_state)
    left_s = app.lambda_context.get_remaining_time_in_millis() / 1000
    evidence = inquiry.look(activity, deadline_s=time.time() + left_s - RESERVE_S)
    if evidence is None:
        raise http.RequestError(404, "activity", "is not known: never published, or gone for a day or more")
    explained = explain(
        evidence,
        pace,
        default_environment=settings.apns_environment,
        guests_required=settings.guests_required,
        now_ms=int(time.time() * 1000),
        with_state=with_state,
    )
    return http.json_response(200, explained)


@app.exception_handler(InvalidInput)  # type: ignore[untyped-decorator]  # Powertools gives it no types
def refuse(error: InvalidInput) -> Response[str]:
    """Say what was wrong."""
    return _refusal(error)


@app.not_found
def not_found(_: Exception) -> Response[str]:
    """Refuse an id that Powertools takes for no part of a path; whoever asks."""
    try:
        http.operator_of(app.current_event, local_user=settings.local_user)
    except InvalidInput as error:
        return _refusal(error)
    return _refusal(InvalidInput("activity", "must be 1 to 128 of the characters A-Z a-z 0-9 . _ : @ -"))


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP, clear_state=True)
def handler(event: Mapping[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Answer a request."""
    answer: dict[str, Any] = app.resolve(dict(event), context)
    logger.info("answered", route=event.get("routeKey"), status=answer["statusCode"])
    return answer


def _refusal(error: InvalidInput) -> Response[str]:
    status = http.status_of(error)
    logger.info("refused", status=status, field=error.field, reason=error.message)
    return http.json_response(status, {"field": error.field, "message": error.message})
