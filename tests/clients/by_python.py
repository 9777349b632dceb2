"""An app's day, told to the API by the client that openapi-python-client makes of docs/openapi.json; prints what it was told."""

import json
import os
from http import HTTPStatus

from lockstep_client import AuthenticatedClient
from lockstep_client.api.default import get_channel, put_card, put_start_token, remove_card, report, sign_out
from lockstep_client.models import (
    CardRegistration,
    ChannelAnswer,
    Error,
    GetChannelEnvironment,
    RemoveCardReason,
    Report,
    ReportAnswer,
    ReportedStartToken,
    ReportEnvironment,
    StartTokenRegistration,
)

DEVICE, CARD, TYPE = "7C9E6679-7425-40DE-944B-E07FC1F90AE7", "card-1", "OrderAttributes"
TOKEN = "80a1f2c3d4e5f60718293a4b5c6d7e8f" * 2

api = os.environ["LOCKSTEP_API"]
ana = AuthenticatedClient(base_url=api, token=os.environ["LOCKSTEP_JWT"])
told: list[tuple[str, int, object]] = []


def note(what: str, status: HTTPStatus, answer: object) -> None:
    told.append((what, int(status), answer))


truth = Report(
    observed_at_ms=int(os.environ["LOCKSTEP_NOW_MS"]),
    environment=ReportEnvironment.PRODUCTION,
    os_version="18.2",
    start_tokens=[ReportedStartToken(attributes_type=TYPE, token=TOKEN)],
    cards=[],
)
reported = report.sync_detailed(DEVICE, client=ana, body=truth)
assert isinstance(reported.parsed, ReportAnswer)
[order] = reported.parsed.activities
note(
    "report", reported.status_code, [order.activity, order.content_state and order.content_state.to_dict(), order.ended]
)

passed_on = put_start_token.sync_detailed(DEVICE, TYPE, client=ana, body=StartTokenRegistration(token=TOKEN))
note("start token", passed_on.status_code, passed_on.parsed)

shown = CardRegistration(activity=order.activity, run=order.run, token=TOKEN)
carded = put_card.sync_detailed(DEVICE, CARD, client=ana, body=shown)
note("card", carded.status_code, carded.parsed)

found = get_channel.sync_detailed("match-7", client=ana, environment=GetChannelEnvironment.PRODUCTION)
assert isinstance(found.parsed, ChannelAnswer)
note("channel", found.status_code, found.parsed.channel)

none = get_channel.sync_detailed("order-42", client=ana, environment=GetChannelEnvironment.SANDBOX)
assert isinstance(none.parsed, Error)
note("no channel", none.status_code, [none.parsed.field, none.parsed.message])

short = put_start_token.sync_detailed(DEVICE, TYPE, client=ana, body=StartTokenRegistration(token="80a1"))
assert isinstance(short.parsed, Error)
note("short token", short.status_code, [short.parsed.field, short.parsed.message])

swiped = remove_card.sync_detailed(DEVICE, CARD, client=ana, reason=RemoveCardReason.DISMISSED)
note("card gone", swiped.status_code, swiped.parsed)

gone = sign_out.sync_detailed(DEVICE, client=ana)
note("signed out", gone.status_code, gone.parsed)

nobody = sign_out.sync_detailed(DEVICE, client=AuthenticatedClient(base_url=api, token="none"))
assert isinstance(nobody.parsed, Error)
note("nobody", nobody.status_code, nobody.parsed.to_dict())

print(json.dumps(told))
