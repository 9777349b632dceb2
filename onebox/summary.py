"""What the demo says at its end: what each phone shows, what happened, and what to try next."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence

from rich.box import ROUNDED
from rich.columns import Columns
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from onebox import ROOT
from onebox.lock_screen import Card, CardState
from onebox.phone import Phone
from onebox.sighting import Sighting
from onebox.stack import Stack
from onebox.storyteller import Storyteller
from onebox.timeline import in_words

_SCREEN_WIDTH = 19

# Where a newcomer reads on, and what stands there; one that is not there is not named.
_PAGES = {
    "docs/ios.md": "the app's side, step by step",
    "docs/producers.md": "your services' side: SNS, EventBridge, Pipes and others",
}


def lock_screens(console: Console, phones: Sequence[Phone]) -> None:
    """Draw what each phone shows now."""
    console.print("\nThe lock screens now", style="bold")
    console.print(Columns([_screen(phone) for phone in phones], padding=(0, 1)))


def what_happened(console: Console, stack: Stack, stories: Sequence[Storyteller]) -> None:
    """Count what was published, pushed, shown and checked."""
    console.print("\nWhat happened", style="bold")
    table = _grid()
    for name, said in _counts(stack, stories):
        table.add_row(name, said)
    console.print(table)


def what_next(console: Console, *, page: bool) -> None:
    """
    Say what to try.

    Args:
        page: Whether `make up` shows the lock screens in a browser.
    """
    console.print("\nWhat to try next", style="bold")
    table = _grid("cyan")
    browser = "; open the address `page` in a browser" if page else ""
    table.add_row("make up", f"all of it stays on this machine until Ctrl-C{browser}")
    table.add_row("", "it prints a command that publishes, as your services will")
    for name, said in _PAGES.items():
        if (ROOT / name).exists():
            table.add_row(name, said)
    table.add_row("make", "everything that there is to run")
    table.add_row("README.md", "how to deploy it, and the contracts with your app and services")
    console.print(table)


def _screen(phone: Phone) -> Panel:
    lines = [Text(f"iOS {phone.hardware.os_version}", "dim"), Text(phone.hardware.environment, "dim")]
    latest = {card.activity: card for card in phone.cards}
    for card in latest.values() if phone.installed else ():
        lines += _card(card)
    if not phone.installed:
        lines.append(Text("no app any more"))
    return Panel(
        Group(*lines), title=phone.name, title_align="left", box=ROUNDED, width=_SCREEN_WIDTH, padding=(0, 0, 0, 1)
    )


def _card(card: Card) -> Iterator[Text]:
    state = card.state(time.time())
    yield Text(card.activity, "bold")
    for name, value in card.content_state.items():
        yield Text(in_words({name: value}))
    yield Text(state, "green" if state is CardState.ACTIVE else "dim")


def _counts(stack: Stack, stories: Sequence[Storyteller]) -> Iterator[tuple[str, str]]:
    pushes = stack.apns.received()
    broadcasts = sum(push.channel is not None for push in pushes)
    answers = Counter("taken" if push.status == 200 else f"answered {push.status} {push.reason}" for push in pushes)
    seen = [one for phone in stack.phones.all() for one in phone.history if one.by == "push"]
    verdicts = Counter(one.verdict for one in seen)
    yield "published", f"{sum(story.published for story in stories)} states, to an SQS queue"
    yield "pushed", f"{len(pushes)} times to Apple, {broadcasts} of them to channels: {_listed(answers)}"
    yield "shown", f"{len(seen)} arrived on {len(stack.phones.all())} phones: {_listed(verdicts)}; {_rang(seen)} rang"
    yield "checked", f"{sum(story.checks for story in stories)} times: {'; '.join(Storyteller.CHECKED)}"


def _rang(seen: Sequence[Sighting]) -> int:
    return sum(one.rang for one in seen)


def _listed[Name: str](counts: Counter[Name]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.most_common())


def _grid(style: str = "") -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style=style, no_wrap=True, min_width=10)
    table.add_column()
    return table
