"""What every story of the demo is made of: phones that register, publishes, and lock screens that must show them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from onebox.expect import expect, wait
from onebox.phone import Phone
from onebox.stack import Stack
from onebox.timeline import Timeline


class Storyteller:
    """
    Tells a story about one activity.

    Args:
        within_s: How long anything may take.

    Attributes:
        published: How many states it has published.
        checks: How much of what it expects has held so far.
    """

    # What the checks of all stories are about.
    CHECKED = (
        "what each phone shows after each publish",
        "what rings and what is silent",
        "one card a phone",
        "no push to a dead token",
        "nothing in a dead-letter queue but what no app could decode",
    )

    def __init__(self, stack: Stack, timeline: Timeline, activity: str, within_s: float) -> None:
        self.activity = activity
        self._stack = stack
        self._tell = timeline
        self._within_s = within_s
        self.published = 0
        self.checks = 0

    def play(self) -> None:
        """
        Play all of it.

        Raises:
            Failed: It went otherwise than it should.
        """
        raise NotImplementedError

    def _registers(self, name: str, **settings: Any) -> Phone:
        phone = self._stack.phones.of(name, **settings)
        self._tell.happens(name, "opens the app: it reports the phone and a start token")
        self._wait(f"{name}'s phone registers", lambda: self._stack.phones.are_idle)
        return phone

    def _publish(self, aps: Mapping[str, Any], **beside: Any) -> None:
        self._tell.publish(aps)
        self.published += 1
        self._stack.publish({"activity": self.activity, "aps": dict(aps), **beside})

    def _update(self, phones: Sequence[Phone], state: Mapping[str, Any], **beside: Any) -> None:
        self._publish({"event": "update", "content-state": dict(state), **beside})
        self._all_show(phones, state)

    def _all_show(self, phones: Sequence[Phone], state: Mapping[str, Any]) -> None:
        names = ", ".join(phone.name for phone in phones)
        self._wait(
            f"the phones of {names} show {dict(state)}", lambda: all(p.shows(self.activity) == state for p in phones)
        )
        self._tell.catch_up()

    def _wait(self, what: str, condition: Callable[[], bool]) -> None:
        wait(what, condition, within_s=self._within_s)
        self.checks += 1

    def _expect(self, holds: bool, what: str) -> None:
        expect(holds, what)
        self.checks += 1
