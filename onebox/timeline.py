"""Prints what happens, as it happens: what was published, and what each lock screen then showed."""

import json
import os
import time
from collections.abc import Mapping
from typing import Any, TextIO

from onebox.lock_screen import Verdict
from onebox.phones import Phones
from onebox.sighting import Sighting

_BOLD, _DIM, _GREEN, _RED, _YELLOW = "1", "2", "32", "31", "33"
_GOOD = (Verdict.APPLIED, Verdict.STORED)


class Timeline:
    """Times are seconds since it began."""

    def __init__(self, out: TextIO, phones: Phones) -> None:
        self._out = out
        self._phones = phones
        self._colour = out.isatty() and "NO_COLOR" not in os.environ
        self._began_ms = time.time() * 1000
        self._told: dict[str, int] = {}

    def title(self, text: str) -> None:
        """Begin a chapter."""
        self._print("")
        self._print(self._in(_BOLD, text))

    def publish(self, aps: Mapping[str, Any]) -> None:
        """Tell what was just published."""
        said = [f"publish {aps['event']:<6}", _short(aps.get("content-state"))]
        if alert := aps.get("alert"):
            said.append(f"“{alert['title']}”")
        self._line(time.time() * 1000, "service", " ".join(part for part in said if part))

    def happens(self, who: str, what: str) -> None:
        """Tell what somebody does."""
        self._line(time.time() * 1000, who, what)

    def catch_up(self) -> None:
        """Tell what the lock screens went through since the last time."""
        news: list[tuple[str, Sighting]] = []
        for phone in self._phones.all():
            history = phone.history
            news += [(phone.name, one) for one in history[self._told.get(phone.name, 0) :]]
            self._told[phone.name] = len(history)
        for name, one in sorted(news, key=lambda pair: pair[1].at_ms):
            self._line(one.at_ms, name, f"  {one.event:<6} {self._outcome(one)}")

    def _outcome(self, one: Sighting) -> str:
        if one.by != "push":
            return f"by the {one.by}"
        verdict = self._in(_GREEN if one.verdict in _GOOD else _RED, one.verdict)
        rings = self._in(_YELLOW, "  rings") if one.rang else ""
        return f"{verdict}  {_short(one.content_state)}{rings}"

    def screens(self, activity: str) -> None:
        """Tell what each lock screen shows now."""
        for phone in self._phones.all():
            card = phone.card(activity)
            shown = "nothing" if card is None else f"{_short(card.content_state)}  {card.state(time.time())}"
            self._print(self._in(_DIM, f"{'':9} {phone.name:>8} │ shows {shown}"))

    def verdict(self, text: str, *, good: bool) -> None:
        """Say how it ended."""
        self._print("")
        self._print(self._in(_GREEN if good else _RED, text))

    def _line(self, at_ms: float, who: str, what: str) -> None:
        self._print(f"{max(0.0, (at_ms - self._began_ms) / 1000):7.2f} s {who:>8} │ {what}")

    def _print(self, text: str) -> None:
        print(text, file=self._out, flush=True)

    def _in(self, colour: str, text: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._colour else text


def _short(state: Any) -> str:
    return "" if state is None else json.dumps(state, ensure_ascii=False).replace('"', "")
