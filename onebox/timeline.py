"""Prints what happens, as it happens: what was published, and what each lock screen then showed."""

import json
import os
import time
from collections.abc import Mapping
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from onebox.lock_screen import Verdict
from onebox.phones import Phones
from onebox.progress import is_watched
from onebox.sighting import Sighting

_GOOD = (Verdict.APPLIED, Verdict.STORED)

# As many names of phones fit before what happened to them; a line is 80 columns at most.
_NAMES = 13


def console_on(out: TextIO) -> Console:
    """Return what prints there: in colour where a person watches who didn't forbid it (no-color.org), else plain."""
    watched = is_watched(out)
    coloured = watched and not os.environ.get("NO_COLOR")
    return Console(
        file=out,
        force_terminal=watched,
        color_system="standard" if coloured else None,
        highlight=False,
        markup=False,
        emoji=False,
    )


class Timeline:
    """Times are seconds since it began."""

    def __init__(self, console: Console, phones: Phones) -> None:
        self._console = console
        self._phones = phones
        self._began_ms = time.time() * 1000
        self._told: dict[str, int] = {}
        self._chapters = 0

    def title(self, text: str) -> None:
        """Begin a chapter."""
        self._chapters += 1
        self._console.print(f"\n{self._chapters}. {text}", style="bold", soft_wrap=True)

    def publish(self, aps: Mapping[str, Any]) -> None:
        """Tell what was just published."""
        said = Text.assemble((f"{aps['event']:<7}", "cyan"), in_words(aps.get("content-state")))
        if alert := aps.get("alert"):
            said.append(f"  “{alert['title']}”")
        self._line(time.time() * 1000, "service", said)

    def happens(self, who: str, what: str) -> None:
        """Tell what somebody does."""
        self._line(time.time() * 1000, who, Text(what))

    def catch_up(self) -> None:
        """Tell what the lock screens went through since the last time: once for all phones that went through the same."""
        news: dict[str, list[tuple[int, str]]] = {}
        words: dict[str, Text] = {}
        for phone in self._phones.all():
            history = phone.history
            for one in history[self._told.get(phone.name, 0) :]:
                if one.by == "person":
                    continue  # the story tells what people do
                text = _told(one)
                words[text.markup] = text
                news.setdefault(text.markup, []).append((one.at_ms, phone.name))
            self._told[phone.name] = len(history)
        for said, seen in sorted(news.items(), key=lambda pair: max(pair[1])):
            self._line(max(at_ms for at_ms, _ in seen), _named([name for _, name in seen]), words[said])

    def _line(self, at_ms: float, who: str, what: Text) -> None:
        at_s = max(0.0, (at_ms - self._began_ms) / 1000)
        begins = Text.assemble((f"{at_s:6.2f} s", "dim"), f" {who:>{_NAMES}} ", ("│ ", "dim"))
        self._console.print(begins + what, soft_wrap=True)


def in_words(state: Any) -> str:
    """Say what a content state holds, without JSON's quotes and braces."""
    return "" if state is None else json.dumps(state, ensure_ascii=False).translate(str.maketrans("", "", '"{}'))


def _told(one: Sighting) -> Text:
    if one.by != "push":
        return Text(f"{one.event} by the {one.by}")
    good = one.verdict in _GOOD
    said = Text.assemble((f"{one.event:<7}", "green" if good else "red"), in_words(one.content_state))
    if one.verdict is not Verdict.APPLIED:
        said.append(f"  {one.verdict}", "green" if good else "red")
    if one.rang:
        said.append("  rings", "yellow")
    return said


def _named(names: list[str]) -> str:
    everyone = " ".join(names)
    return everyone if len(everyone) <= _NAMES else f"{len(names)} phones"
