"""What the app says over HTTPS, and what it is answered."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from lockstep.errors import InvalidInput
from lockstep.ids import ID_PATTERN, is_id

# A phone shows a handful of cards and an app has a handful of attributes types; what is far beyond is a mistake.
CARDS_MAX = 64
START_TOKENS_MAX = 32
FOLLOWS_MAX = 100


def _id(value: str) -> str:
    if not is_id(value):
        raise ValueError("must be 1 to 128 of the characters A-Z a-z 0-9 . _ : @ -")
    return value


def _even(value: str) -> str:
    if len(value) % 2:
        raise ValueError("must have an even number of hex digits")
    return value.lower()


Id = Annotated[str, AfterValidator(_id), WithJsonSchema({"type": "string", "pattern": ID_PATTERN})]
# Apple: "don't assume a length"; Live Activity tokens of 160 digits have been seen.
Token = Annotated[
    str,
    Field(pattern="^[0-9a-fA-F]*$", min_length=64, max_length=512),
    AfterValidator(_even),
    WithJsonSchema({"type": "string", "pattern": "^([0-9a-fA-F]{2})*$", "minLength": 64, "maxLength": 512}),
]
# Unix milliseconds up to the year 9999; the models are strict, so that no text or fraction passes for one.
MILLISECONDS_END = 253_402_300_800_000
Milliseconds = Annotated[int, Field(gt=0, lt=MILLISECONDS_END)]


class _Model(BaseModel):
    """Unknown keys are passed over, so that a newer app can talk to an older stack; types are taken at their word."""

    model_config = ConfigDict(strict=True, frozen=True)


class ReportedCard(_Model):
    """A card that the phone shows."""

    card: Id
    activity: Id
    run: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    token: Annotated[Token | None, Field(repr=False)] = None


class ReportedStartToken(_Model):
    """A start token that the phone has."""

    attributes_type: Id
    token: Annotated[Token, Field(repr=False)]


class Report(_Model):
    """The phone's whole truth. Lists replace what was observed before; what is absent stays as it is."""

    observed_at_ms: Milliseconds
    environment: Literal["production", "sandbox"] | None = None
    os_version: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+){0,3}$", max_length=32)] | None = None
    frequent_updates: bool | None = None
    start_tokens: Annotated[list[ReportedStartToken], Field(max_length=START_TOKENS_MAX)] | None = None
    cards: Annotated[list[ReportedCard], Field(max_length=CARDS_MAX)] | None = None
    follows: Annotated[list[Id], Field(max_length=FOLLOWS_MAX)] | None = None


class StartTokenRegistration(_Model):
    """A push-to-start token."""

    token: Annotated[Token, Field(repr=False)]
    observed_at_ms: Milliseconds | None = None


class CardRegistration(_Model):
    """A card, with its update token once it has one."""

    activity: Id
    run: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    token: Annotated[Token | None, Field(repr=False)] = None
    observed_at_ms: Milliseconds | None = None


class ActivityAnswer(_Model):
    """What a phone should show of an activity. What has no value is left out."""

    activity: str
    run: int
    attributes_type: str | None = None
    attributes: Annotated[dict[str, Any] | None, Field(repr=False)] = None
    content_state: Annotated[dict[str, Any] | None, Field(repr=False)] = None
    timestamp: int
    stale_date: float | int | None = None
    ended: bool
    channel: str | None = None


class ChannelAnswer(_Model):
    """The channel that a card is to subscribe to, for `pushType: .channel(…)`."""

    channel: str


class ReportAnswer(_Model):
    """What a phone should show."""

    activities: list[ActivityAnswer]


def read[M: _Model](model: type[M], body: str) -> M:
    """
    Read a request's body.

    Raises:
        InvalidInput: Not JSON (field `body`), or not what the model says; names the field, never quotes the value.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "body"
        raise InvalidInput(field, first["msg"].removeprefix("Value error, ")) from None
