"""API Gateway-triggered: what phones register, into DynamoDB."""

import os
import random
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.logging import correlation_paths
from snapshot_restore_py import register_after_restore

from lockstep import http
from lockstep.activities import Activities
from lockstep.aws_clients import CONFIG, dynamodb_client
from lockstep.errors import Forbidden, InvalidInput
from lockstep.followers import Followers
from lockstep.ids import phone_of
from lockstep.models import CardRegistration, Report, StartTokenRegistration, read
from lockstep.queues import DeliveryQueue
from lockstep.registration import Registration
from lockstep.settings import RegisterSettings
from lockstep.tokens import Tokens

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from lockstep.event_bus import EventBus
    from lockstep.missing_cards import MissingCards

# Where Lambda starts functions from a snapshot (SnapStart), all would spread their retries by the same numbers.
register_after_restore(random.seed)

settings = RegisterSettings.from_env(os.environ)
logger = Logger()
app = APIGatewayHttpResolver()

dynamodb = dynamodb_client()
sqs = boto3.client("sqs", config=CONFIG)

tokens = Tokens(dynamodb, settings.tokens_table)

bus: "EventBus | None" = None
missing_cards: "MissingCards | None" = None
if settings.event_bus_name is not None:
    # Only a stack that tells of outcomes pays for this.
    from aws_lambda_powertools import Metrics

    from lockstep.event_bus import open_bus
    from lockstep.missing_cards import MissingCards
    from lockstep.telemetry import Telemetry

    telemetry = Telemetry(logger, Metrics())
    bus = open_bus(settings.event_bus_name, telemetry, stack=settings.stack_arn)
    missing_cards = MissingCards(tokens, bus)

registration = Registration(
    Activities(dynamodb, settings.activities_table),
    tokens,
    Followers(dynamodb, settings.tokens_table),
    DeliveryQueue(sqs, settings.delivery_queue_url),
    now=time.time,
    guests_required=settings.guests_required,
    missing_cards=missing_cards,
)


@app.put("/v1/devices/<device>")
def report(device: str) -> Response[str]:
    """Store the phone's whole truth; answer what it should show."""
    user, device = _who(device=device)
    phone, rows = registration.report(user, device, read(Report, http.body(app.current_event)))
    answer = http.report_answer(phone, rows, default_environment=settings.apns_environment)
    return http.json_response(200, answer)


@app.put("/v1/devices/<device>/start-tokens/<attributes_type>")
def put_start_token(device: str, attributes_type: str) -> Response[str]:
    """Store a push-to-start token."""
    user, device, attributes_type = _who(device=device, attributes_type=attributes_type)
    request = read(StartTokenRegistration, http.body(app.current_event))
    registration.put_start_token(user, device, attributes_type, request)
    return http.nothing()


@app.put("/v1/devices/<device>/cards/<card>")
def put_card(device: str, card: str) -> Response[str]:
    """Store a card."""
    user, device, card = _who(device=device, card=card)
    registration.put_card(user, device, card, read(CardRegistration, http.body(app.current_event)))
    return http.nothing()


@app.delete("/v1/devices/<device>/cards/<card>")
def remove_card(device: str, card: str) -> Response[str]:
    """Forget a card."""
    user, device, card = _who(device=device, card=card)
    reason = app.current_event.get_query_string_value("reason", "ended")
    if reason not in ("dismissed", "ended"):
        raise InvalidInput("reason", "must be dismissed or ended")
    registration.remove_card(user, device, card, dismissed=reason == "dismissed")
    return http.nothing()


@app.get("/v1/activities/<activity>/channel")
def channel(activity: str) -> Response[str]:
    """Answer the channel to subscribe to."""
    user, activity = _who(activity=activity)
    environment = http.environment(app.current_event.get_query_string_value("environment"))
    found = registration.channel(user, activity, environment)
    if found is None:
        raise http.RequestError(404, "activity", f"has no channel in {environment}")
    return http.json_response(200, http.channel_answer(found))


@app.delete("/v1/devices/<device>")
def sign_out(device: str) -> Response[str]:
    """Forget all of this phone."""
    user, device = _who(device=device)
    observed_at_ms = http.milliseconds("observed_at_ms", app.current_event.get_query_string_value("observed_at_ms"))
    registration.sign_out(user, device, observed_at_ms=observed_at_ms)
    return http.nothing()


@app.delete("/v1/me")
def forget_me() -> Response[str]:
    """Forget all of this user."""
    [user] = _who()
    registration.forget_user(user)
    return http.nothing()


@app.exception_handler(InvalidInput)  # type: ignore[untyped-decorator]  # Powertools gives it no types
def refuse(error: InvalidInput) -> Response[str]:
    """Say what was wrong."""
    return _refusal(error)


@app.not_found
def not_found(_: Exception) -> Response[str]:
    """Refuse an id that Powertools takes for no part of a path; answer what API Gateway would have kept from us."""
    try:
        _who(**app.current_event.path_parameters)
    except InvalidInput as error:
        return _refusal(error)
    return http.json_response(404, {"field": "path", "message": "is not one of this API"})


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP, clear_state=True)
def handler(event: Mapping[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Answer a request."""
    end_s = time.time() + context.get_remaining_time_in_millis() / 1000
    answer: dict[str, Any] = app.resolve(dict(event), context)
    if bus is not None:
        bus.flush(end_s=end_s)
        telemetry.flush()
    logger.info("answered", route=event.get("routeKey"), status=answer["statusCode"])
    return answer


def _refusal(error: InvalidInput) -> Response[str]:
    status = 403 if isinstance(error, Forbidden) else http.status_of(error)
    logger.info("refused", status=status, field=error.field, reason=error.message)
    return http.json_response(status, {"field": error.field, "message": error.message})


def _who(**ids: str) -> tuple[str, ...]:
    """Return the user, by no word of the request, and the ids in the path."""
    user = http.user_of(app.current_event, local_user=settings.local_user)
    for name, value in ids.items():
        http.check_id(name, value)
    if ids and app.current_event.raw_path.endswith("\n"):
        # To Powertools' routes a line break at the end of a path is none of it.
        http.check_id(list(ids)[-1], "\n")
    logger.append_keys(phone=phone_of(ids["device"]) if "device" in ids else None)
    return (user, *ids.values())
