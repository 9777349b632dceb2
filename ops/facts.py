"""What `make explain` prints: the verdict, then the facts behind it, aligned for a person at night."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from textwrap import wrap
from typing import Any

from lockstep.wording import ago, duration

_LABEL = 20
_WIDTH = 110

type Answer = Mapping[str, Any]


def told(answer: Answer) -> Iterator[str]:
    """Yield the lines."""
    for sentence in answer["verdict"]:
        yield from wrap(sentence, _WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    yield ""
    for label, text in facts(answer):
        first, *more = text.splitlines() or [""]
        yield f"{label:{_LABEL}}{first}"
        yield from (f"{'':{_LABEL}}{line}" for line in more)


def facts(answer: Answer) -> Iterator[tuple[str, str]]:
    """Yield what is known, each with its label."""
    now_ms = answer["at_ms"]
    yield "activity", f"{answer['activity']}, run {answer['run']}"
    yield from _life(answer["life"], now_ms)
    yield from _state(answer, now_ms)
    yield from _delivery(answer, now_ms)
    yield from _audience(answer)
    for road, label in (("cards", "last pushes"), ("starts", "last starts")):
        heard = answer["outcomes"][road]
        if heard is not None:
            counts = ", ".join(f"{count} {kind}" for kind, count in heard["counts"].items()) or "none"
            yield label, f"{counts} (revision {heard['revision']}, {ago(heard['at_ms'], now_ms)})"
    budget = answer["budget"]
    ends = duration(budget["hour_ends_in_s"])
    lowered = "; further ones go out with 5" if budget["lowered"] else ""
    yield "budget", f"{budget['spent']} of {budget['of']} silent updates with priority 10, for another {ends}{lowered}"
    yield from _pace(answer["pace"], answer["delivery"], now_ms)
    channels = [f"{one['environment']} {one['id']} ({one['storage']}, run {one['run']})" for one in answer["channels"]]
    yield "channels", "\n".join(channels) or "none"
    slices = answer["slices"]
    if slices is not None:
        parts = f"{slices['have_the_newest']} of {slices['slices']} have the newest state, {slices['worked_on']} are worked on"
        yield "slices", parts + (f", {slices['split_further']} are split further" if slices["split_further"] else "")
    yield "row", f"written {answer['writes']} times, gone in {duration(answer['expires_at_s'] - now_ms // 1000)}"


def _life(life: Answer, now_ms: int) -> Iterator[tuple[str, str]]:
    if "started_at_ms" in life:
        yield "started", f"{_at(life['started_at_ms'])}, {ago(life['started_at_ms'], now_ms)}"
    else:
        yield "started", "by no start of ours: the app makes its cards"
    if life["ended"]:
        again = f", said again {life['end_said_again']} times" if life["end_said_again"] else ""
        yield "ended", f"{_at(life['ended_at_ms'])}, {ago(life['ended_at_ms'], now_ms)}{again}"
    elif "closes_at_ms" in life:
        yield "closes", f"{_at(life['closes_at_ms'])}, when Apple's eight hours are over"


def _state(answer: Answer, now_ms: int) -> Iterator[tuple[str, str]]:
    state, stamp, alert = answer["state"], answer["stamp"], answer["alert"]
    if state is None:
        yield "state", "none"
    else:
        stale = f", stale-date {_at(int(state['stale_date'] * 1000))}" if "stale_date" in state else ""
        yield "state", f"published {_at(state['published_at_ms'])}, {ago(state['published_at_ms'], now_ms)}{stale}"
        if "content_state" in state:
            yield "content-state", json.dumps(state["content_state"], indent=2, ensure_ascii=False)
    if stamp["timestamp_s"]:
        stamped_ms = stamp["timestamp_s"] * 1000
        yield "stamp", f"{stamp['timestamp_s']}, {ago(stamped_ms, now_ms)}, of revision {stamp['revision']}"
    if alert is not None:
        unheard = "rings with the next delivery" if alert["rings_yet"] else "is too old to ring"
        gone = "has gone out" if alert["gone_out"] else unheard
        yield "alert", f"published {ago(alert['published_at_ms'], now_ms)}, {gone}"


def _delivery(answer: Answer, now_ms: int) -> Iterator[tuple[str, str]]:
    delivery = answer["delivery"]
    owes = ", owed" if delivery["owes"] else ""
    starts = ", starts owed" if delivery["owes_starts"] else ""
    yield "revision", f"{delivery['revision']}, everybody has {delivery['sent_revision']}{owes}{starts}"
    if delivery["set_out_at_ms"]:
        yield "last delivery", f"set out {_at(delivery['set_out_at_ms'])}, {ago(delivery['set_out_at_ms'], now_ms)}"


def _audience(answer: Answer) -> Iterator[tuple[str, str]]:
    audience = answer["audience"]
    to = [f"{audience['users']} users"] if audience["users"] else []
    to += [f"who follows {audience['name']}"] if audience["name"] else []
    yield "to", f"{' and '.join(to) or 'nobody by push'} ({audience['attributes_type'] or 'no attributes type'})"
    yield "guests", "none named" if audience["guests"] is None else str(audience["guests"])
    least = "at least " if answer["cut"] else ""
    for name, counts in answer["environments"].items():
        cards = f"{counts['cards']} cards, {counts['cards_with_token']} with a token"
        yield f"phones, {name}", f"{least}{counts['phones']}, {counts['should_show']} of them should show it; {cards}"
    if not answer["environments"]:
        yield "phones", "none"
    yield "without a card", f"{least}{answer['starts_without_card']} phones that were started"


def _pace(pace: Answer, delivery: Answer, now_ms: int) -> Iterator[tuple[str, str]]:
    next_ms = pace["next_silent_update_in_ms"]
    when = "at once" if next_ms <= 0 else f"in {next_ms / 1000:.1f} s"
    yield "pace", f"a silent update every {pace['min_interval_ms'] / 1000:g} s; the next may go {when}"
    due_ms = delivery["due_at_ms"]
    yield "due", "nothing" if due_ms is None else f"a delivery, in {max(0, due_ms - now_ms) / 1000:.1f} s"


def _at(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
