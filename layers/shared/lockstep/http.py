"""What the HTTPS contract says of requests and answers, whatever the route."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from lockstep.apns import Environment
from lockstep.channels import Channel, takes_channels
from lockstep.errors import InvalidInput
from lockstep.ids import is_id, is_user
from lockstep.models import MILLISECONDS_END, ActivityAnswer, ChannelAnswer, ReportAnswer
from lockstep.payload import attributes_of
from lockstep.phones import Phone
from lockstep.row import Row

# A report of the most cards and tokens that a phone may have is half as long.
BODY_MAX_BYTES = 64 * 1024

# More digits are no Unix milliseconds, and may be more than Python reads.
_DIGITS_MAX = len(str(MILLISECONDS_END))


class RequestError(InvalidInput):
    """A request that is wrong as a whole, with a status of its own."""

    def __init__(self, status: int, field: str, message: str) -> None:
        super().__init__(field, message)
        self.status = status


def status_of(error: InvalidInput) -> int:
    """Return the HTTP status of what was wrong with a request."""
    if isinstance(error, RequestError):
        return error.status
    return 400 if error.field == "body" else 422


def user_of(event: APIGatewayProxyEventV2, *, local_user: str | None) -> str:
    """
    Return the user: the `sub` that API Gateway's JWT authorizer has checked, and nothing else in the request.

    Args:
        local_user: The user where there is no authorizer, on one machine; None wherever there is one.

    Raises:
        RequestError: There is none (401).
    """
    match event.raw_event:
        case {"requestContext": {"authorizer": {"jwt": {"claims": {"sub": str(user)}}}}} if is_user(user):
            return user
        case {"requestContext": {"authorizer": _}}:
            pass
        case _ if local_user is not None:
            return local_user
    raise RequestError(401, "user", "is not named by a valid token")


def operator_of(event: APIGatewayProxyEventV2, *, local_user: str | None) -> str:
    """
    Return who calls a route behind IAM: the ARN that API Gateway has checked the signature of.

    Args:
        local_user: Who calls where nobody checks signatures, on one machine; None wherever somebody does.

    Raises:
        RequestError: There is none (403): a route that lost its authorizer must not answer everybody.
    """
    match event.raw_event:
        case {"requestContext": {"authorizer": {"iam": {"userArn": str(arn)}}}}:
            return arn
        case {"requestContext": {"authorizer": _}}:
            pass
        case _ if local_user is not None:
            return local_user
    raise RequestError(403, "caller", "is not one whom IAM lets in")


def body(event: APIGatewayProxyEventV2) -> str:
    """
    Return the body's text.

    Raises:
        RequestError: It is longer than any request needs (413), or no text at all (400).
    """
    # Base64 is a third longer than what it carries; a body beyond that isn't worth decoding.
    if len(event.body or "") > BODY_MAX_BYTES * 4 // 3 + 4:
        raise RequestError(413, "body", f"is longer than {BODY_MAX_BYTES} bytes")
    try:
        text = event.decoded_body or ""
        size = len(text.encode())
    except ValueError:
        raise RequestError(400, "body", "is not UTF-8 text") from None
    if size > BODY_MAX_BYTES:
        raise RequestError(413, "body", f"is longer than {BODY_MAX_BYTES} bytes")
    return text


def check_id(name: str, value: str) -> None:
    """Refuse an id in the path that no activity, device or card could have; raises InvalidInput."""
    if not is_id(value):
        raise InvalidInput(name, "must be 1 to 128 of the characters A-Z a-z 0-9 . _ : @ -")


def milliseconds(name: str, value: str | None) -> int | None:
    """Read Unix milliseconds of the query; None where there are none. Raises InvalidInput."""
    if not value:
        return None
    digits = value.isascii() and value.isdigit() and len(value) <= _DIGITS_MAX
    if not (digits and 0 < int(value) < MILLISECONDS_END):
        raise InvalidInput(name, "must be Unix milliseconds, a whole number")
    return int(value)


def flag(name: str, value: str | None) -> bool:
    """Read true or false of the query; false where it isn't there. Raises InvalidInput."""
    if value not in (None, "true", "false"):
        raise InvalidInput(name, "must be true or false")
    return value == "true"


def json_response(status: int, value: Mapping[str, Any]) -> Response[str]:
    """Answer JSON."""
    return Response(status, "application/json", json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def nothing() -> Response[str]:
    """Answer that it is done."""
    return Response(204)


def environment(value: str | None) -> Environment:
    """Read an APNs environment of the query; raises InvalidInput."""
    try:
        return Environment(value or "")
    except ValueError:
        raise InvalidInput("environment", f"must be one of {', '.join(Environment)}") from None


def channel_answer(channel: Channel) -> dict[str, Any]:
    """Say which channel to subscribe to."""
    return ChannelAnswer(channel=channel.id).model_dump()


def report_answer(phone: Phone | None, rows: Iterable[Row], *, default_environment: Environment) -> dict[str, Any]:
    """Say what a phone should show: activities that have a state, or have ended; and on which channel, if it can be on one."""
    subscribes = phone is not None and takes_channels(phone.os_version)
    where = (phone.environment if phone else None) or default_environment
    answers = [
        _activity(row, row.channel(where) if subscribes and row.registers.running else None)
        for row in rows
        if row.registers.state or row.registers.ended
    ]
    return ReportAnswer(activities=answers).model_dump(exclude_none=True)


def _activity(row: Row, channel: Channel | None) -> ActivityAnswer:
    state = row.registers.state.value if row.registers.state else {}
    content_state, stale_date = state.get("content-state"), state.get("stale-date")
    return ActivityAnswer(
        activity=row.activity,
        run=row.run,
        attributes_type=row.attributes_type,
        attributes=attributes_of(row) if row.attributes_type else None,
        content_state=content_state if isinstance(content_state, dict) else None,
        timestamp=row.timestamp_s,
        stale_date=stale_date if isinstance(stale_date, int | float) else None,
        ended=row.registers.ended,
        channel=channel.id if channel else None,
    )
