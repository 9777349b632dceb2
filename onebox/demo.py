"""Two stories on simulated iPhones, told as a timeline and checked: an order, from its start to its end, and a match."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from onebox.bridge import addresses
from onebox.expect import Failed
from onebox.lock_screen import CardState, Verdict
from onebox.match import Match
from onebox.phone import ATTRIBUTES_TYPE, Phone
from onebox.sam.cli import SamCli
from onebox.stack import Stack
from onebox.storyteller import Storyteller
from onebox.summary import lock_screens, what_happened, what_next
from onebox.timeline import Timeline, console_on

ORDER = "order-42"
MATCH = "match-7"

# Ample for one publish on a slow machine, and all of them stay within a minute.
_WITHIN_S = 10

# What the apps of both stories can decode.
_SCHEMAS = Path(__file__).parent / "schemas"

# Containers start when they are first needed.
_WITHIN_CONTAINERS_S = 60


class Story(Storyteller):
    """A delivery, its producer and its three customers."""

    def play(self) -> None:
        """
        Play all of it.

        Raises:
            Failed: It went otherwise than it should.
        """
        ana, ben = self._the_order_is_taken()
        carl = self._a_phone_is_late(ana, ben)
        self._the_alert_rings(ana, ben, carl)
        old = self._a_token_rotates(ana, ben, carl)
        dead = self._a_token_is_dead(ana, ben, carl)
        self._no_app_could_decode_it(ana, carl)
        self._the_end(ana, carl)
        self._check_pushes(ana, ben, carl, old=old, dead=dead)

    # --- chapters

    def _the_order_is_taken(self) -> tuple[Phone, Phone]:
        self._tell.title("Two phones register; the order starts on their lock screens")
        ana, ben = (self._registers(name) for name in ("ana", "ben"))
        self._publish(
            {
                "event": "start",
                "attributes-type": ATTRIBUTES_TYPE,
                "attributes": {"order": 42},
                "content-state": {"stage": "taken", "minutes": 40},
                "alert": {"title": "Order taken", "body": "40 minutes"},
            },
            to={"users": ["ana", "ben", "carl"]},
        )
        self._all_show([ana, ben], {"stage": "taken", "minutes": 40})
        self._expect(all(one.rang for phone in (ana, ben) for one in phone.starts(ORDER)), "a start rings")
        # Their update tokens are on their way to the API.
        self._wait("the phones pass their tokens on", lambda: self._stack.phones.are_idle)
        self._update([ana, ben], {"stage": "baking", "minutes": 25})
        return ana, ben

    def _a_phone_is_late(self, ana: Phone, ben: Phone) -> Phone:
        self._tell.title("A third phone comes late, and catches up")
        carl = self._registers("carl")
        self._tell.happens("Lockstep", "leaves the app a few seconds to start the card itself")
        self._all_show([carl], {"stage": "baking", "minutes": 25})
        self._wait("the late phone passes its token on", lambda: self._stack.phones.are_idle)
        self._update([ana, ben, carl], {"stage": "on its way", "minutes": 12})
        return carl

    def _the_alert_rings(self, *phones: Phone) -> None:
        self._tell.title("An alert")
        alert = {"title": "Nearly there", "body": "7 minutes"}
        self._update(phones, {"stage": "on its way", "minutes": 7}, alert=alert)
        for phone in phones:
            self._expect(phone.history[-1].rang, f"the alert rings on {phone.name}'s phone")
        self._update(phones, {"stage": "on its way", "minutes": 6})
        for phone in phones:
            self._expect(not phone.history[-1].rang, f"the update after it is silent on {phone.name}'s phone")

    def _a_token_rotates(self, *phones: Phone) -> str:
        self._tell.title("iOS replaces a token midway")
        phone = phones[0]
        old = self._token(phone)
        phone.rotate(ORDER)
        self._tell.happens(phone.name, "has a new update token; the old one is dead")
        self._wait("the new token reaches the API", lambda: self._stack.phones.are_idle)
        self._update(phones, {"stage": "on its way", "minutes": 4})
        return old

    def _a_token_is_dead(self, ana: Phone, ben: Phone, carl: Phone) -> str:
        self._tell.title("A phone deletes the app; its token is found dead, and forgotten")
        dead = self._token(ben)
        ben.uninstall()
        self._tell.happens(ben.name, "deletes the app")
        self._update([ana, carl], {"stage": "at the door", "minutes": 1})
        self._wait("Apple says that the token is dead", lambda: self._statuses(dead)[-1:] == [410])
        self._tell.happens("Apple", f"410 {self._reasons(dead)[-1]} for {ben.name}'s token")
        self._update([ana, carl], {"stage": "at the door", "minutes": 0})
        return dead

    def _no_app_could_decode_it(self, *phones: Phone) -> None:
        if not self._stack.functions:
            return  # containers have the schemas of the layer that was built, not this story's
        self._tell.title("A state that the app could not decode is refused")
        self._publish({"event": "update", "content-state": {"stage": "at the door", "minutes": "now"}})
        self._wait("it is put aside", lambda: self._stack.queues.count("PublishDeadLetterQueue") == 1)
        [letter] = self._stack.queues.look("PublishDeadLetterQueue")
        self._tell.happens("Lockstep", letter.attributes["reason"])
        self._expect(
            letter.attributes["reason"] == "aps.content-state.minutes: must be a whole number",
            f"the reason names the field: {letter.attributes['reason']}",
        )
        self._all_show(phones, {"stage": "at the door", "minutes": 0})
        self._stack.aws.sqs.purge_queue(QueueUrl=self._stack.queues.urls["PublishDeadLetterQueue"])

    def _the_end(self, *phones: Phone) -> None:
        self._tell.title("The end")
        dismissal_s = int(time.time()) + 3600
        final = {"stage": "delivered", "minutes": 0}
        self._publish({"event": "end", "content-state": final, "dismissal-date": dismissal_s})
        self._all_show(phones, final)
        for phone in phones:
            card = phone.card(ORDER)
            self._expect(card is not None and card.state(time.time()) is CardState.ENDED, f"{phone.name}'s card ended")
            self._expect(
                card is not None and card.state(dismissal_s) is CardState.DISMISSED,
                f"{phone.name}'s card leaves the lock screen when the producer said",
            )

    def _check_pushes(self, *phones: Phone, old: str, dead: str) -> None:
        self._expect(self._statuses(dead)[-2:] == [200, 410], "nothing is pushed to the dead token any more")
        self._expect(set(self._statuses(old)) == {200}, "nothing is pushed to the replaced token any more")
        for phone in phones:
            self._expect(len(phone.starts(ORDER)) == 1, f"{phone.name}'s phone has one card, no double")
            self._expect(not phone.refusals, f"the API takes all that {phone.name}'s phone says: {phone.refusals}")
            odd = [one for one in phone.history if one.verdict is not Verdict.APPLIED]
            self._expect(not odd, f"{phone.name}'s phone applies every push: {odd}")
        for queue in ("PublishDeadLetterQueue", "DeliveryDeadLetterQueue", "SliceDeadLetterQueue"):
            self._expect(not self._stack.queues.count(queue), f"{queue} is empty")

    # --- what happens in them

    def _token(self, phone: Phone) -> str:
        card = phone.card(ORDER)
        if card is None or card.token is None:
            raise Failed(f"{phone.name}'s card has no update token")
        return card.token

    def _statuses(self, token: str) -> list[int | None]:
        return [push.status for push in self._stack.apns.received() if push.token == token]

    def _reasons(self, token: str) -> list[str | None]:
        return [push.reason for push in self._stack.apns.received() if push.token == token]


def demo(local: Path, sam: SamCli | None = None) -> int:
    """Play both stories, the functions in this process or in containers; returns 0 if they went as they should."""
    logs = local / "logs"
    within_s = _WITHIN_S if sam is None else _WITHIN_CONTAINERS_S
    began_s = time.monotonic()
    with Stack(local, log_folder=logs, sam=sam, also_on=addresses() if sam else (), schemas=_SCHEMAS) as stack:
        where = "on this machine" if sam is None else "on this machine, the functions in Lambda's runtime"
        print(f"All of it runs {where}, after {time.monotonic() - began_s:.1f} s.")
        console = console_on(sys.stdout)
        timeline = Timeline(console, stack.phones)
        stories = [Story(stack, timeline, ORDER, within_s), Match(stack, timeline, MATCH, within_s)]
        if not tell(stories, stack, timeline, console):
            console.print(f"What the functions logged is in {logs}.", soft_wrap=True)
            return 1
        what_next(console, page=stack.endpoints()["page"] is not None)
        console.print(f"\nAll of it holds, after {time.monotonic() - began_s:.1f} s.", style="green")
        return 0


def tell(stories: Sequence[Storyteller], stack: Stack, timeline: Timeline, console: Console) -> bool:
    """Play stories one after the other, and sum them up; returns whether they went as they should."""
    try:
        for story in stories:
            story.play()
    except Failed as failure:
        timeline.catch_up()
        lock_screens(console, stack.phones.all())
        for letter in stack.queues.look("PublishDeadLetterQueue"):
            console.print(f"\nPut aside: {letter.attributes.get('reason')}", soft_wrap=True)
        console.print(f"\nFAILED: {failure}", style="red", soft_wrap=True)
        return False
    lock_screens(console, stack.phones.all())
    what_happened(console, stack, stories)
    return True
