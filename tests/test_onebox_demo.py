"""How `make demo` tells its stories: on a terminal, where nobody watches, and where they go wrong."""

import io
import re

import pytest

from onebox.demo import tell
from onebox.environment import variables
from onebox.phone import ATTRIBUTES_TYPE, Phone
from onebox.stack import Stack
from onebox.storyteller import Storyteller
from onebox.summary import what_next
from onebox.timeline import Timeline, console_on

TAKEN = {"stage": "taken", "minutes": 40}


class Terminal(io.StringIO):
    """A terminal that remembers what was drawn on it."""

    def isatty(self) -> bool:
        return True


class Polled(Storyteller):
    """Tells a story on a stack whose queues are fed by whoever waits, as in tests."""

    def _all_show(self, phones: list[Phone], state: dict[str, object]) -> None:  # type: ignore[override]  # what we give
        self._stack.drain()
        super()._all_show(phones, state)


class Order(Polled):
    """Two phones, an order, and one who deletes the app."""

    def play(self) -> None:
        self._tell.title("An order")
        ana, ben = (self._registers(name) for name in ("ana", "ben"))
        start = {"event": "start", "attributes-type": ATTRIBUTES_TYPE, "attributes": {}, "content-state": TAKEN}
        self._publish({**start, "alert": {"title": "Order taken"}}, to={"users": ["ana", "ben"]})
        self._all_show([ana, ben], {**TAKEN})
        ben.uninstall()


class Wrong(Order):
    """Publishes what is refused, and expects what does not come."""

    def play(self) -> None:
        super().play()
        self._publish({"event": "update"})
        self._stack.drain()
        self._expect(False, "pigs fly")


# Nothing said about colours, on a terminal that has some.
QUIET: dict[str, str | None] = {"CI": None, "NO_COLOR": None, "TERM": "xterm", "COLUMNS": "80"}


def told(story: type[Storyteller], stack: Stack) -> tuple[bool, str]:
    """Tell a story; returns whether it went as it should, and what was printed."""
    out = io.StringIO()
    with variables(QUIET):
        console = console_on(out)
        timeline = Timeline(console, stack.phones)
        held = tell([story(stack, timeline, "order-42", 5)], stack, timeline, console)
    return held, out.getvalue()


def test_phones_that_go_through_the_same_share_a_line_and_the_sum_is_what_happened(stack: Stack) -> None:
    held, text = told(Order, stack)

    assert held
    assert re.search(r"service │ start  stage: taken, minutes: 40  “Order taken”$", text, re.MULTILINE)
    assert re.search(r"ana ben │ start  stage: taken, minutes: 40  rings$", text, re.MULTILINE)
    assert re.search(r"^published +1 states", text, re.MULTILINE)
    assert re.search(r"^pushed +2 times to Apple, 0 of them to channels: 2 taken", text, re.MULTILINE)
    assert re.search(r"^shown +2 arrived on 2 phones: 2 applied; 2 rang", text, re.MULTILINE)
    # Two registrations and what both showed.
    assert re.search(r"^checked +3 times", text, re.MULTILINE)
    assert "nothing in a dead-letter queue but what no app could decode" in " ".join(text.split())
    screens = text.split("The lock screens now")[1]
    assert "order-42" in screens
    assert "no app any more" in screens
    assert max(map(len, text.splitlines())) <= 80


def test_what_does_not_hold_is_said_and_nothing_is_summed_up_as_if_it_did(stack: Stack) -> None:
    held, text = told(Wrong, stack)

    assert not held
    assert "Put aside: aps.content-state: " in text
    assert text.endswith("FAILED: it does not hold that pigs fly\n")
    assert "The lock screens now" in text
    assert "What happened" not in text


@pytest.mark.parametrize(
    ("out", "environ", "coloured"),
    [
        (Terminal, {}, True),
        (Terminal, {"NO_COLOR": "1"}, False),
        (Terminal, {"NO_COLOR": ""}, True),
        (Terminal, {"TERM": "dumb"}, False),
        (Terminal, {"TERM": None}, False),
        (Terminal, {"CI": "true"}, False),
        (io.StringIO, {}, False),
        (io.StringIO, {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colour_is_for_a_terminal_that_somebody_watches(
    out: type[io.StringIO], environ: dict[str, str | None], coloured: bool
) -> None:
    text = out()

    with variables({**QUIET, **environ}):
        console_on(text).print("All of it holds", style="bold green")

    assert ("\033[" in text.getvalue()) is coloured


def test_a_page_is_named_only_where_there_is_one() -> None:
    without, with_page = io.StringIO(), io.StringIO()

    what_next(console_on(without), page=False)
    what_next(console_on(with_page), page=True)

    assert "make up" in without.getvalue()
    assert "browser" not in without.getvalue()
    assert "open the address `page` in a browser" in " ".join(with_page.getvalue().split())
