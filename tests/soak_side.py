"""Records of a soak for its judge, made by hand: an audience of one, and one person's iPhone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.soak.record import Record
from bench.stadium.ledger import Entry
from onebox.apns.simulator import ApnsSimulator
from onebox.errands import Errands
from onebox.hardware import Hardware
from onebox.lock_screen import Card
from onebox.phone import Phone
from onebox.queues import QueuedMessage
from tests.play.model import Activity, Said
from tests.stadium_side import GOOD, LAST, REFUSED, Few, fan

ORDER, NOW_S = "order-1", 1_830_513_600
STARTED_MS, UPDATED_MS = NOW_S * 1000 - 9000, NOW_S * 1000 - 4000
LETTERS = {"PublishDeadLetterQueue": [REFUSED], "SliceDeadLetterQueue": []}


def order(*, ended: bool = False) -> Activity:
    said = [Said("start", STARTED_MS, ("ana",)), Said("update", UPDATED_MS)]
    return Activity(ORDER, [*said, Said("end", UPDATED_MS + 1)] if ended else said)


def iphone(apple: ApnsSimulator, *, at_ms: int = UPDATED_MS, token: str = "a1" * 80) -> Phone:
    """Ana's, showing a state of her order; it speaks to nobody."""
    hardware = Hardware("Ana's")
    phone = Phone(hardware, apns=apple, api="", token=str, errands=Errands(), now=lambda: NOW_S)
    phone.app.sign_in("ana")
    phone.ios.add(card(at_ms, token), by="app")
    return phone


def card(at_ms: int, token: str) -> Card:
    return Card("C", ORDER, 1, "OrderAttributes", {}, {"at": at_ms}, NOW_S, NOW_S - 9.0, token=token)


def record(
    phone: Phone,
    *,
    audience: Sequence[Entry] = GOOD,
    last: Sequence[Entry] = (),
    logs: Sequence[Path] = (),
    letters: Mapping[str, Sequence[QueuedMessage]] = LETTERS,
    letters_later: Mapping[str, Sequence[QueuedMessage]] = LETTERS,
    ended: bool = False,
    **more: Any,
) -> Record:
    known: dict[str, Any] = {"crashed_ms": (), "cut_ms": (), "behind": (), "handed": {}, **more}
    return Record(
        entries=[*audience, *last],
        crowd=Few([fan(), fan(1, follows=False)]),
        last_state=LAST,
        page=1,
        logs=logs,
        letters=letters,
        letters_later=letters_later,
        activities=[order(ended=ended)],
        phones=[phone],
        calm=len(audience),
        ended_s=NOW_S,
        **known,
    )


def broken(found: Record) -> set[str]:
    """Name the promises that a record breaks, by their numbers."""
    return {verdict.promise[0] for verdict in found.verdicts() if not verdict.held}
