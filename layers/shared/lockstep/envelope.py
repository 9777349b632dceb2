"""A message as it comes from SQS: bare, from SNS or from EventBridge, and when what it says was true."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lockstep.errors import InvalidInput
from lockstep.json_values import NESTING_MAX, Json, JsonObject, NestedTooDeep, parse

PUBLISHED_AT = "published_at_ms"


@dataclass(frozen=True, slots=True)
class SqsRecord:
    """One record of an SQS event, as much of it as we use."""

    message_id: str
    receipt_handle: str = field(repr=False)
    body: str = field(repr=False)
    sent_at_ms: int
    receive_count: int
    attributes: Mapping[str, str]
    queue: str

    @staticmethod
    def of(record: Mapping[str, Json]) -> "SqsRecord":
        """Read a record as Lambda hands it over."""
        system, own = _object(record.get("attributes")), _object(record.get("messageAttributes"))
        return SqsRecord(
            message_id=str(record["messageId"]),
            receipt_handle=str(record.get("receiptHandle", "")),
            body=str(record["body"]),
            sent_at_ms=int(str(system["SentTimestamp"])),
            receive_count=int(str(system.get("ApproximateReceiveCount", 1))),
            attributes={name: str(_object(value).get("stringValue")) for name, value in own.items()},
            queue=str(record.get("eventSourceARN", "")).rpartition(":")[2],
        )

    @property
    def first_sent_at_ms(self) -> int:
        """When the message was first sent: copies and redriven messages carry it as an attribute."""
        carried = _integer(self.attributes.get(PUBLISHED_AT))
        return self.sent_at_ms if carried is None else min(carried, self.sent_at_ms)


@dataclass(frozen=True, slots=True)
class Message:
    """
    A publish's body and the moment at which it was true.

    Attributes:
        from_the_future: Whether it was said to be true only after now.
    """

    body: JsonObject = field(repr=False)
    published_at_ms: int
    from_the_future: bool = False


def open_envelope(record: SqsRecord, *, now_ms: int) -> Message:
    """
    Take the body out of whatever envelope it came in.

    The moment is the earliest of what the body says (else what its envelope says), what a copy carries along, SQS's own
    SentTimestamp, and now: so a clock that is ahead can't shadow later states, and a copy or a redrive keeps its place.

    Raises:
        InvalidInput: Not JSON, nested too deep, or not an object.
    """
    body = _parse_object(record.body, "body")
    said: int | None = None
    if body.get("Type") == "Notification" and isinstance(body.get("Message"), str):
        attribute = _object(_object(body.get("MessageAttributes")).get(PUBLISHED_AT)).get("Value")
        said = _integer(attribute)
        said = _moment(body.get("Timestamp")) if said is None else said
        body = _parse_object(str(body["Message"]), "Message")
    elif "detail-type" in body and "detail" in body:
        said = _moment(body.get("time"))
        detail = body["detail"]
        if not isinstance(detail, dict):
            raise InvalidInput("detail", "must be an object")
        body = detail
    own = body.get(PUBLISHED_AT)
    if own is not None:
        if isinstance(own, bool) or not isinstance(own, int) or own <= 0:
            raise InvalidInput(PUBLISHED_AT, "must be Unix milliseconds, a whole number")
        said = own
    moments = (now_ms, record.first_sent_at_ms, *(() if said is None else (said,)))
    return Message(body, min(moments), said is not None and said > now_ms)


def _parse_object(text: str, name: str) -> JsonObject:
    try:
        value = parse(text, nesting_max=NESTING_MAX)
    except NestedTooDeep as error:
        raise InvalidInput(
            name, f"is JSON of more than {NESTING_MAX} levels, which Swift's JSONDecoder does not read"
        ) from error
    except ValueError as error:
        raise InvalidInput(name, f"is not JSON: {type(error).__name__}") from error
    if not isinstance(value, dict):
        raise InvalidInput(name, "must be a JSON object")
    return value


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _integer(value: Json) -> int | None:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19 else None


def _moment(value: Json) -> int | None:
    """Read the ISO 8601 time of SNS (milliseconds) or EventBridge (seconds) as Unix milliseconds."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
