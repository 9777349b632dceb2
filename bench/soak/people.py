"""People with a phone each, who order something, follow it, and do what people do with phones."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.stadium.match import SECRET
from lockstep.apns import Environment
from onebox.phone import Phone
from onebox.stack import Stack
from tests.play.model import Activity, Said

# What all of them follow, over a channel.
FLIGHT, FLIERS = "flight-7", "fliers"

# One of so many: phones of a sandbox build, and with iOS 17, which hear no channel.
_SANDBOX, _IOS_17 = 10, 4

# One publish of so many comes twice, as SQS may bring it; one update of so many rings.
_TWICE, _RINGS = 20, 5

# How long one is offline or signed out, seconds.
_AWAY_S = (2.0, 12.0)


@dataclass(slots=True, eq=False)
class Person:
    """
    Somebody.

    Attributes:
        order: What runs for them now.
        orders: How many they have had.
        away: Whether they are offline or signed out.
        stayed: Whether they have been there since their order began: what passed them by, a report mends in its own time.
    """

    user: str
    phone: Phone
    order: Activity | None = None
    orders: int = 0
    away: bool = False
    stayed: bool = True


class People:
    """
    Publishes their orders and holds their phones, from one thread; the flight may have another.

    Attributes:
        activities: All that was published, the flight first.
        disturbed: Names of phones that were offline or signed out: what they missed their app's report mends.
        timed: The states that tell how long a push takes: of one order, whose person was there since its start.
        handed: How much a phone had seen, by its name, each time that somebody signed in or out on it.
        did: How often what happened.
    """

    def __init__(self, stack: Stack, count: int, dice: random.Random) -> None:
        self.flight = Activity(FLIGHT)
        self.activities = [self.flight]
        self.disturbed: set[str] = set()
        self.timed: set[int] = set()
        self.handed: dict[str, list[int]] = {}
        self.did: Counter[str] = Counter()
        self._stack = stack
        self._dice = dice
        self._publishing = threading.Lock()
        self._last_ms = 0
        self._later: list[tuple[float, Callable[[], None]]] = []
        self.everyone = [
            Person(
                f"person-{i}",
                stack.phones.make(
                    f"phone of person-{i}",
                    environment=Environment.PRODUCTION if i % _SANDBOX else Environment.SANDBOX,
                    os_version="18.2" if i % _IOS_17 else "17.6",
                    follows=[FLIERS],
                    self_start=True,
                ),
            )
            for i in range(count)
        ]
        # What is drawn most is done most.
        self._acts: list[tuple[Callable[[Person], None], int]] = [
            (self._update, 56),
            (self._burst, 4),
            (self._end, 6),
            (self._open_app, 14),
            (self._rotate, 6),
            (self._rotate_start_token, 3),
            (self._swipe, 2),
            (self._go_offline, 4),
            (self._sign_out, 4),
        ]

    # --- what happens

    def arrive(self) -> None:
        """Let everybody open the app, and the flight begin."""
        for one in self.everyone:
            one.phone.launch(one.user)
        self._stack.phones.wait(120)
        self._publish(self.flight, "start", to={"audience": FLIERS}, channel="latest")

    def act(self) -> None:
        """Let one of them do something, or something be published for them."""
        now_s = time.monotonic()
        for due_s, act in list(self._later):
            if due_s <= now_s:
                self._later.remove((due_s, act))
                act()
        acts, weights = zip(*self._acts, strict=True)
        [act_of] = self._dice.choices(acts, weights)
        act_of(self._dice.choice(self.everyone))

    def fly(self) -> None:
        """Update the flight."""
        self._publish(self.flight, "update")

    def come_back(self) -> None:
        """Let whoever is away be there again."""
        while self._later:
            self._stack.phones.wait(300)
            waiting, self._later = self._later, []
            for _, act in waiting:
                act()

    def open_all_apps(self) -> None:
        """Let everybody open the app once more."""
        for one in self.everyone:
            one.phone.launch()

    def update_all(self) -> None:
        """Publish a last update of all that runs."""
        for activity in self.activities:
            if activity.running:
                self._publish(activity, "update")

    # --- publishes

    def _update(self, who: Person) -> None:
        if who.order is None:
            who.orders += 1
            who.stayed = not who.away
            who.order = Activity(f"order-{who.user}-{who.orders}")
            self.activities.append(who.order)
            self._publish(who.order, "start", who, to={"users": [who.user]})
        else:
            self._publish(who.order, "update", who, alert=not self._dice.randrange(_RINGS))

    def _burst(self, who: Person) -> None:
        for _ in range(3):
            self._update(who)

    def _end(self, who: Person) -> None:
        if who.order is not None:
            self._publish(who.order, "end", who)
            who.order = None

    def _publish(
        self, activity: Activity, event: str, who: Person | None = None, *, alert: bool = False, **more: Any
    ) -> None:
        # No two of the soak are of one moment: a state says when it was published, and so which it is.
        with self._publishing:
            at_ms = self._last_ms = max(int(time.time() * 1000), self._last_ms + 1)
        aps: dict[str, Any] = {"event": event}
        if event != "end":
            aps["content-state"] = {"at": at_ms, "state": at_ms, "word": SECRET}
        if event == "start":
            aps |= {"attributes-type": "OrderAttributes", "attributes": {}}
        if event == "start" or alert:
            aps["alert"] = {"title": "News", "body": str(at_ms)}
        to = more.get("to", {})
        said = Said(event, at_ms, tuple(to.get("users", ())), to.get("audience"), more.get("channel"))
        activity.said.append(said)
        self.did[f"published: {event}"] += 1
        if who is not None and who.stayed and event != "end":
            self.timed.add(at_ms)
        for _ in range(1 if self._dice.randrange(_TWICE) else 2):
            self._stack.publish({"activity": activity.name, "aps": aps, "published_at_ms": at_ms, **more})

    # --- phones

    def _open_app(self, who: Person) -> None:
        if not who.away:
            self.did["apps opened"] += 1
            who.phone.launch()

    def _rotate(self, who: Person) -> None:
        if who.order is not None and not who.away:
            self.did["update tokens rotated"] += 1
            who.phone.rotate(who.order.name)

    def _rotate_start_token(self, who: Person) -> None:
        if not who.away:
            self.did["start tokens rotated"] += 1
            who.phone.rotate_start_token()

    def _swipe(self, who: Person) -> None:
        if who.order is not None and not who.away:
            self.did["cards swiped away"] += 1
            who.phone.swipe(who.order.name)

    def _go_offline(self, who: Person) -> None:
        if not who.away:
            self.did["phones went offline"] += 1
            who.phone.go_offline()
            self._for_a_while(who, lambda: self._go_online(who))

    def _go_online(self, who: Person) -> None:
        who.away = False
        who.phone.go_online()

    def _sign_out(self, who: Person) -> None:
        if not who.away:
            self.did["signed out"] += 1
            self._note_sign(who)
            who.phone.sign_out()
            self._for_a_while(who, lambda: self._sign_in(who))

    def _sign_in(self, who: Person) -> None:
        if not who.phone.is_idle:
            # An app lets nobody in before it was told that the sign-out is done.
            self._later.append((time.monotonic() + 1, lambda: self._sign_in(who)))
            return
        who.away = False
        self._note_sign(who)
        who.phone.launch(who.user)

    def _note_sign(self, who: Person) -> None:
        self.handed.setdefault(who.phone.name, []).append(len(who.phone.history))

    def _for_a_while(self, who: Person, end: Callable[[], None]) -> None:
        who.away, who.stayed = True, False
        self.disturbed.add(who.phone.name)
        self._later.append((time.monotonic() + self._dice.uniform(*_AWAY_S), end))
