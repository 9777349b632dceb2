"""ana, whose phones stand in the tables, and eve, who knows the name of everything: for tests of what eve can do."""

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPResponse
from itertools import batched
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lockstep.apns import Environment
from lockstep.delivery import Forgetting, read_body
from lockstep.ids import phone_of
from onebox.stack import Stack
from tests.messages import start, update
from tests.pushing import now_ms, say, settle

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef

ANA, EVE = "ana", "eve"

PHONE, TABLET, EVES_PHONE = (
    "3F2504E0-4F89-41D3-9A0C-0305E82C3301",
    "B8A1D0F2-77C1-4E0B-8A59-4A1C5D2E9F00",
    "0E7EE7E0-0000-4000-8000-0000000000EE",
)
CARD, TABLET_CARD = "6F9619FF-8B86-D011-B42D-00C04FC964FF", "tablets-card"
TYPE = "OrderAttributes"

# The order is ana's alone; the match is everybody's, has a channel, and is started for whoever follows the team.
ORDER, MATCH, TEAM = "order-42", "match-7", "team-7"

_TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True, slots=True)
class Belongings:
    """What there is of a user: rows of the tokens table by key, and what is queued about the user's phones."""

    rows: Mapping[tuple[str, str], Mapping[str, Any]]
    queued: Sequence[str]

    def without(self, phone: str) -> "Belongings":
        """Leave out one phone, by its hash."""
        rows = {key: row for key, row in self.rows.items() if row["device_key"]["S"] != phone}
        return Belongings(rows, [body for body in self.queued if phone not in body])


class TwoUsers:
    """
    Both users, and the wire.

    Attributes:
        kept: What there was of ana when all was settled.
    """

    kept: Belongings

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._host = urlsplit(stack.api.url)
        self._minutes = 30
        self._kept: dict[str, list[dict[str, Any]]] = {}
        self.tokens = {name: stack.apns.issue_token(Environment.PRODUCTION) for name in ("order", "tablet", "start")}
        self._settled_at_ms = self.reported_at_ms = now_ms() - 60_000

    def token(self, user: str) -> str:
        """Return a valid token."""
        return self.stack.identity.token(user)

    # --- the wire

    def wire(self, request: bytes) -> Answer:
        """Send bytes on a connection of their own, and nothing after them; return what comes back."""
        with socket.create_connection((self._host.hostname or "", self._host.port or 0), timeout=_TIMEOUT_S) as road:
            road.sendall(request)
            road.shutdown(socket.SHUT_WR)
            response = HTTPResponse(road, method=request.partition(b" ")[0].decode(errors="replace"))
            try:
                response.begin()
                return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
            finally:
                response.close()

    def ask(
        self,
        method: str,
        target: str,
        body: object = None,
        *,
        user: str = EVE,
        authorization: Sequence[str] | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        """
        Send a request, its target as it is.

        Args:
            body: Bytes as they are; anything else as JSON.
            authorization: The header, as often as it is said; None for the user's valid token.
        """
        said = [f"Bearer {self.stack.identity.token(user)}"] if authorization is None else authorization
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        lines = [("host", self._host.netloc), *(("authorization", one) for one in said)]
        if body is not None:
            lines.append(("content-length", str(len(content))))
            if not any(name == "content-type" for name, _ in headers):
                lines.append(("content-type", "application/json"))
        head = "".join(f"{name}: {value}\r\n" for name, value in (*lines, *headers))
        return self.wire(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode(errors="surrogateescape") + content)

    # --- what ana has

    def settle(self) -> None:
        """Let the activities run, and ana's phones be known and at rest."""
        match = start(MATCH, to={"audience": TEAM}, channel="latest")
        assert say(self.stack, start(ORDER, ANA), match) == []
        assert self.report().status == 200
        tablet = {
            "observed_at_ms": self.reported_at_ms,
            "environment": "production",
            "cards": [{"card": TABLET_CARD, "activity": ORDER, "token": self.tokens["tablet"]}],
        }
        assert self.ask("PUT", f"/v1/devices/{TABLET}", tablet, user=ANA).status == 200
        settle(self.stack)
        self._kept = {table: self.stack.aws.items(table) for table in self.stack.aws.tables.values()}
        self.restore()
        self.kept = self.anas()

    def restore(self) -> None:
        """Let everything be as when it was settled."""
        aws = self.stack.aws
        aws.empty()
        for table, items in self._kept.items():
            for some in batched(items, 25, strict=False):
                put: list[WriteRequestTypeDef] = [{"PutRequest": {"Item": item}} for item in some]
                aws.dynamodb.batch_write_item(RequestItems={table: put})
        self.reported_at_ms = self._settled_at_ms
        self.stack.apns.clear()
        self.stack.functions["RegisterFunction"].log.clear()

    def truth(self) -> dict[str, Any]:
        """What ana's phone reports, always the same."""
        return {
            "observed_at_ms": self.reported_at_ms,
            "environment": "production",
            "os_version": "18.2",
            "frequent_updates": True,
            "follows": [TEAM],
            "start_tokens": [{"attributes_type": TYPE, "token": self.tokens["start"]}],
            "cards": [{"card": CARD, "activity": ORDER, "token": self.tokens["order"]}],
        }

    def report(self) -> Answer:
        """Let ana's phone report."""
        return self.ask("PUT", f"/v1/devices/{PHONE}", self.truth(), user=ANA)

    def anas(self) -> Belongings:
        """Return what there is of ana."""
        rows = {(item["audience"]["S"], item["phone"]["S"]): item for item in self.rows_of(ANA)}
        self.stack.aws.hasten_messages()
        queued = [message.body for message in self.stack.queues.look("DeliveryQueue")]
        return Belongings(rows, sorted(body for body in queued if _is_about_ana(body)))

    def rows_of(self, user: str) -> list[dict[str, Any]]:
        """Return what there is of a user in the tokens table, by its index; here it lags behind nothing."""
        pages = self.stack.aws.dynamodb.get_paginator("query").paginate(
            TableName=self.stack.aws.tables["TokensTable"],
            IndexName="ByOwner",
            KeyConditionExpression="#owner = :owner",
            ExpressionAttributeNames={"#owner": "owner"},
            ExpressionAttributeValues={":owner": {"S": user}},
        )
        return [dict(item) for page in pages for item in page["Items"]]

    def owners_on(self, device: str) -> set[str]:
        """Say whose rows there are of a phone."""
        items = self.stack.aws.items(self.stack.aws.tables["TokensTable"])
        return {item["owner"]["S"] for item in items if item["device_key"]["S"] == phone_of(device) and "owner" in item}

    def activities(self) -> list[dict[str, Any]]:
        """Return all that there is of activities, which no app may change."""
        return self.stack.aws.items(self.stack.aws.tables["ActivitiesTable"])

    def anas_pushes(self) -> list[str]:
        """Publish a state of the order; return which tokens it went to."""
        self._minutes += 1
        self.stack.apns.clear()
        assert say(self.stack, update(ORDER, self._minutes)) == []
        settle(self.stack)
        pushes = [push for push in self.stack.apns.pushes if push.payload["aps"]["content-state"]["minutes"] > 30]
        assert all(push.payload["aps"]["content-state"]["minutes"] == self._minutes for push in pushes)
        return sorted(str(push.token) for push in pushes)

    def told(self, body: bytes) -> list[str]:
        """Say what an answer to eve tells of what is ana's alone."""
        secrets = [*self.tokens.values(), PHONE, phone_of(PHONE), TABLET, ANA, CARD, "Pizzeria", "driver"]
        text = body.decode().lower()
        return [secret for secret in secrets if secret.lower() in text]


def _is_about_ana(body: str) -> bool:
    message = read_body(body)
    phones = (message.phone,) if isinstance(message, Forgetting) else message.phones or ()
    owner = message.owner if isinstance(message, Forgetting) else None
    return owner == ANA or not {phone_of(PHONE), phone_of(TABLET)}.isdisjoint(filter(None, phones))
