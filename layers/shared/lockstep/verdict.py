"""Why an activity shows, or doesn't, in a person's words: pure."""

from collections.abc import Iterable, Iterator
from functools import reduce
from itertools import groupby

from lockstep.closing import ACTIVE_S
from lockstep.evidence import Evidence
from lockstep.findings import Finding, Why
from lockstep.outcomes import ACCEPTED, BROADCAST, OTHERS, UNANSWERED, Outcomes
from lockstep.pace import Pace, is_due
from lockstep.reasons import REASONS, Remedy
from lockstep.row import Row
from lockstep.slices import Known
from lockstep.wording import ago, duration, name, why_not

# So many phones of a kind are named, each with a sentence; what is more is counted.
NAMED_MAX = 5

# A delivery that set out so long ago is over, or was cut short: a function has a minute.
UNDER_WAY_MS = 60_000


def verdict(evidence: Evidence, findings: Iterable[Finding], pace: Pace, *, now_ms: int) -> list[str]:
    """Say it in sentences, the most important first."""
    found, row = list(findings), evidence.row
    sentences = [_headline(evidence, found, now_ms)]
    if row.registers.running and row.registers.state is not None:
        sentences += _of_phones(row, found, now_ms)
    sentences += _of_delivery(evidence, now_ms)
    sentences += _of_outcomes(evidence, now_ms)
    sentences += _of_settings(row, pace, now_ms)
    return sentences


# --- does it show


def _headline(evidence: Evidence, found: list[Finding], now_ms: int) -> str:
    row = evidence.row
    end = row.registers.end
    if row.registers.ended and end is not None:
        ended = ago(end.version.published_at_ms, now_ms)
        return f"It ended {ended}: it shows nowhere, but for what iOS keeps until its dismissal."
    if not row.registers.running:
        return "It should show nowhere: neither a start nor a state of it has been published."
    if row.registers.state is None:
        return "It should show nowhere: it has no content-state yet."
    phones = [one for one in found if one.phone is not None]
    shows = sum(one.why.shows for one in phones)
    if evidence.cut:
        return f"It should show on {shows} of the {len(phones)} phones that were looked at; there are more."
    if not phones:
        named = "its start names nobody" if not row.names_somebody else "no phone that its start names can be started"
        return f"It should show nowhere: no phone has a card of it, and {named}."
    return f"It should show on {shows} of {len(phones)} phone{'s' if len(phones) != 1 else ''}{_but(evidence)}."


def _but(evidence: Evidence) -> str:
    """What keeps the newest state from phones that are there; a phone whose token was forgotten counts among the others."""
    heard = heard_by_cards(evidence)
    if heard is None or heard.revision < evidence.row.revision:
        return ""
    pushes = {kind: count for kind, count in heard.counts if not kind.startswith(BROADCAST)}
    failed = sum(count for kind, count in pushes.items() if kind != ACCEPTED and not _is_forgotten(kind))
    return f", but Apple did not take {failed} of the last {sum(pushes.values())} pushes at once" if failed else ""


def _of_phones(row: Row, found: list[Finding], now_ms: int) -> Iterator[str]:
    lacking = [one for one in found if not one.why.shows]
    for why, of_kind in groupby(lacking, key=lambda one: one.why):
        same = list(of_kind)
        if len(same) > NAMED_MAX:
            who = "users" if why is Why.NO_START_TOKEN else "phones"
            yield f"{len(same)} {who}: {why_not(why, row, max(one.at_ms for one in same), now_ms)}"
            continue
        yield from (f"{name(one)}: {why_not(why, row, one.at_ms, now_ms)}" for one in same)


# --- has it gone out


def _of_delivery(evidence: Evidence, now_ms: int) -> Iterator[str]:
    row, newest = evidence.row, _newest(evidence.row, now_ms)
    served = sum(is_served(evidence, one) for one in evidence.slices)
    if row.owes:
        yield f"{newest}, has not gone out to everybody{_owed(row, now_ms)}"
    elif served < len(evidence.slices):
        yield f"{newest}, is going out: {served} of {len(evidence.slices)} slices have it."
    elif row.registers.state is not None or row.registers.ended:
        yield f"{newest}, has gone out to everybody."


def _owed(row: Row, now_ms: int) -> str:
    if is_due(row, now_ms):
        return f": it waits for the pace, and sets out in {duration(max(0, row.due_at_ms - now_ms + 999) // 1000)}."
    if row.claimed_revision == row.revision and now_ms - row.delivered_at_ms < UNDER_WAY_MS:
        return f": it set out {ago(row.delivered_at_ms, now_ms)}."
    return ", and nothing tells that it is under way: look at the age of the queues, and at the dead letters."


def _newest(row: Row, now_ms: int) -> str:
    what = "end" if row.registers.ended else "newest state"
    return f"The {what}, published {ago(row.registers.published_at_ms, now_ms)}"


def is_served(evidence: Evidence, known: Known) -> bool:
    """Say whether a slice has brought the row's newest state to all of its phones."""
    return known.slice.done and known.slice.revision >= evidence.row.revision


# --- what Apple said


def _of_outcomes(evidence: Evidence, now_ms: int) -> Iterator[str]:
    for heard, of_what in ((heard_by_cards(evidence), "pushes to cards"), (heard_of_starts(evidence), "starts")):
        if heard is None or heard.revision < evidence.row.run_revision:
            continue
        pushes = sum(count for kind, count in heard.counts if not kind.startswith(BROADCAST))
        for kind, count in heard.counts:
            if kind.removeprefix(BROADCAST) == ACCEPTED:
                continue
            what = f"{count} of the last {pushes} {of_what}"
            if kind.startswith(BROADCAST):
                what = f"{count} of the last broadcasts"
            yield f"{what}, {ago(heard.at_ms, now_ms)}: {_said(kind.removeprefix(BROADCAST))}"


def heard_by_cards(evidence: Evidence) -> Outcomes | None:
    """Sum up what became of the last pushes to cards: of the whole, or of all slices that have brought the newest state yet."""
    return _summed(evidence.cards_heard, (one.slice.cards for one in evidence.slices))


def heard_of_starts(evidence: Evidence) -> Outcomes | None:
    """Sum up what became of the last starts, in the same way."""
    return _summed(evidence.starts_heard, (one.slice.starts for one in evidence.slices))


def _summed(whole: Outcomes | None, parts: Iterable[Outcomes | None]) -> Outcomes | None:
    every = [one for one in (whole, *parts) if one is not None]
    newest = max((one.revision for one in every), default=0)
    same = sorted((one for one in every if one.revision == newest), key=lambda one: one.at_ms)
    return reduce(Outcomes.and_then, same) if same else None


def _said(kind: str) -> str:
    if kind == UNANSWERED:
        return "no answer from Apple (a firewall, DNS, Apple down?); tried again, but for a start that may have been taken."
    if kind == OTHERS:
        return "rejected for several other reasons; the log of push names each."
    known = REASONS.get(kind)
    if known is None:
        return f"rejected with {kind}, which this release doesn't know; the log of push names its status."
    return f"rejected with {kind} ({known.meaning.rstrip('.')}); {_REMEDIES[known.remedy]}"


def _is_forgotten(kind: str) -> bool:
    known = REASONS.get(kind)
    return known is not None and known.remedy in _FORGOTTEN


_FORGOTTEN = (Remedy.FORGET_TOKEN, Remedy.OTHER_ENVIRONMENT)

_REMEDIES = {
    Remedy.NONE: "nothing to do.",
    Remedy.RETRY: "tried again.",
    Remedy.FORGET_TOKEN: "forgotten: the app was removed, the card is over, or the token changed.",
    Remedy.FORGET_CHANNEL: "the channel is given up, and a new run makes another.",
    Remedy.OTHER_ENVIRONMENT: "the phone said the wrong environment, or the token is no more.",
    Remedy.NEW_PROVIDER_TOKEN: "tried again with a new provider token.",
    Remedy.REFUSE: "not tried again: is BundleId this app's, and the payload right?",
    Remedy.STOP_AND_ALARM: "nothing goes out until the key, its team or the topic is right (make key).",
}


# --- what else may keep it from showing


def _of_settings(row: Row, pace: Pace, now_ms: int) -> Iterator[str]:
    start, state = row.registers.start, row.registers.state
    if not row.registers.running:
        return
    if start is not None and now_ms - start.version.published_at_ms >= ACTIVE_S * 1000:
        yield "Its start is more than eight hours old: Apple has ended its cards."
    stale_s = state.value.get("stale-date") if state else None
    if isinstance(stale_s, int | float) and stale_s * 1000 <= now_ms:
        yield f"Its stale-date was {ago(int(stale_s * 1000), now_ms)}: iOS shows it as outdated."
    if row.lowered and row.hour == now_ms // 3_600_000:
        yield (
            f"This hour's {pace.priority_budget} silent updates with priority 10 are spent ({row.spent} so far): what follows "
            "goes out with 5, and iOS may show it later."
        )
    if row.storage is not None and not row.owes and not any(one.run == row.run for one in row.channels):
        yield (
            "Its start asks for a channel, and Apple has given none: everybody gets a token. Is the broadcast capability ticked "
            "on the App ID?"
        )
