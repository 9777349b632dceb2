"""
Checks publishes by the code by which push refuses them, and sends them. `publish` builds them.

No AWS library is imported: the caller brings a client.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, cast

from lockstep import fitting
from lockstep.envelope import PUBLISHED_AT, SqsRecord, open_envelope
from lockstep.errors import InvalidInput, NotSent
from lockstep.json_values import Json, JsonObject, canonical
from lockstep.publishes import parse
from lockstep.schemas import Schemas

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

# What SQS takes in one SendMessageBatch: so many messages, of so many bytes together.
BATCH_MAX = 10
BATCH_MAX_BYTES = 1_048_576

# How long to wait before each attempt at what SQS failed at by its own fault.
_WAITS_S = (0, 0.2, 0.8)

# By more than this no burst of publishes of one activity gets ahead of the clock.
_AHEAD_MAX_MS = 1000

type Object = Mapping[str, object]


class Moments:
    """Gives each publish of an activity a later moment than the one before it: two of one moment have no order."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = Lock()
        self._last: dict[str, int] = {}

    def next(self, activity: str) -> int:
        with self._lock:
            now_ms = int(self._now() * 1000)
            # What is further ahead was given by a clock that has been set back since.
            self._last = {one: at_ms for one, at_ms in self._last.items() if now_ms <= at_ms < now_ms + _AHEAD_MAX_MS}
            self._last[activity] = at_ms = max(now_ms, self._last.get(activity, 0) + 1)
        return at_ms


MOMENTS = Moments(time.time)


_NO_SCHEMAS = Schemas()


def check(publish: Object, *, schemas: Schemas = _NO_SCHEMAS, guests_required: bool = False) -> None:
    """
    Refuse what push would refuse.

    Args:
        schemas: Those of the stack; an update or end is held against one where it says its attributes type.
        guests_required: Whether the stack has `RequireGuests`.

    Raises:
        InvalidInput: With push's own words.
    """
    _ready(publish, schemas, guests_required=guests_required)


class Publisher:
    """
    Sends publishes to a stack's queue.

    Args:
        queue_url: The stack's output `PublishQueueUrl`.
        schemas, guests_required: As `check` takes them.
    """

    def __init__(
        self,
        client: "SQSClient",
        queue_url: str,
        *,
        schemas: Schemas = _NO_SCHEMAS,
        guests_required: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._queue_url = queue_url
        self._schemas = schemas
        self._guests_required = guests_required
        self._sleep = sleep

    def send(self, publishes: Object | Iterable[Object]) -> None:
        """
        Check a publish or many, then send all; what has no `published_at_ms` gets one.

        Raises:
            InvalidInput: Push would refuse one of them. None was sent.
            NotSent: SQS did not take some of them. All others were sent.
        """
        many = [publishes] if isinstance(publishes, Mapping) else publishes
        ready = [self._checked(publish, number) for number, publish in enumerate(many)]
        left: list[_Left] = []
        cause: Exception | None = None
        for batch in _batches(ready):
            # Who can't be asked now is not asked on: the client has tried that for long enough.
            more, cause = ([(one, "not tried") for one in batch], cause) if cause else self._send(batch)
            left += more
        if left:
            raise NotSent([one.publish for one, _ in left], [code for _, code in left]) from cause

    def _checked(self, publish: Object, number: int) -> "_Ready":
        try:
            return _ready(publish, self._schemas, guests_required=self._guests_required)
        except InvalidInput as error:
            error.add_note(f"in publishes[{number}]; nothing was sent")
            raise

    def _send(self, batch: Sequence["_Ready"]) -> tuple[list["_Left"], Exception | None]:
        """Send a batch; return what SQS did not take and why, and the error where SQS could not be asked."""
        from botocore.exceptions import BotoCoreError, ClientError

        refused: list[_Left] = []
        failed: list[_Left] = [(one, "") for one in batch]
        for wait_s in _WAITS_S:
            if not failed:
                break
            self._sleep(wait_s)
            asked = [one for one, _ in failed]
            entries: list[SendMessageBatchRequestEntryTypeDef] = [
                {"Id": str(i), "MessageBody": one.text} for i, one in enumerate(asked)
            ]
            try:
                answer = self._client.send_message_batch(QueueUrl=self._queue_url, Entries=entries)
            except ClientError as error:
                return refused + [(one, error.response["Error"]["Code"]) for one in asked], error
            except BotoCoreError as error:
                return refused + [(one, type(error).__name__) for one in asked], error
            told = answer.get("Failed", [])
            refused += [(asked[int(one["Id"])], one["Code"]) for one in told if one["SenderFault"]]
            failed = [(asked[int(one["Id"])], one["Code"]) for one in told if not one["SenderFault"]]
        return refused + failed, None


@dataclass(frozen=True, slots=True)
class _Ready:
    """A publish that push would take, and the message that it is."""

    activity: str
    publish: JsonObject = field(repr=False)
    text: str = field(repr=False)


# What was not sent, and why.
type _Left = tuple[_Ready, str]


def _ready(publish: Object, schemas: Schemas, *, guests_required: bool) -> _Ready:
    now_ms = int(time.time() * 1000)
    text = _text(publish)
    record = SqsRecord("", "", text, sent_at_ms=now_ms, receive_count=1, attributes={}, queue="")
    read = parse(open_envelope(record, now_ms=now_ms), now_ms=now_ms, guests_required=guests_required)
    fitting.check(schemas, read)
    body = cast("JsonObject", dict(publish))
    if body.get(PUBLISHED_AT) is None:
        body[PUBLISHED_AT] = MOMENTS.next(read.activity)
    return _Ready(read.activity, body, _text(body))


def _batches(ready: Iterable[_Ready]) -> Iterator[list[_Ready]]:
    """
    Divide publishes into what SQS takes at once, the first of each activity before all seconds, and so on.

    So no two of an activity go out together: all messages of a batch have one time of SQS's, which is all there is to
    tell them apart where the producer's clock is ahead.
    """
    rounds: dict[int, list[_Ready]] = {}
    seen = Counter[str]()
    for one in ready:
        rounds.setdefault(seen[one.activity], []).append(one)
        seen[one.activity] += 1
    for group in rounds.values():
        batch: list[_Ready] = []
        size = 0
        for one in group:
            if len(batch) == BATCH_MAX or size + len(one.text) > BATCH_MAX_BYTES:
                yield batch
                batch, size = [], 0
            batch.append(one)
            size += len(one.text)
        yield batch


def _text(publish: Object) -> str:
    """Write it in ASCII, for of other characters SQS refuses some that JSON allows; raises InvalidInput."""
    try:
        return canonical(cast("Json", publish))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput("body", f"is not JSON: {error}") from error
