"""One simulated iPhone, as a person holds it."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lockstep.schemas import Schemas
from onebox.apns.simulator import ApnsSimulator
from onebox.app import App
from onebox.app_client import AppClient, Refusal
from onebox.errands import Errands, Line
from onebox.hardware import Hardware
from onebox.ios import Ios
from onebox.lock_screen import ANYTHING, Card, CardState, Verdict
from onebox.sighting import Sighting

ATTRIBUTES_TYPE = "OrderAttributes"


class Phone:
    """
    A phone with our app on it, offline or online, in the hands of a user.

    Args:
        token: Returns the JWT of a user.
        self_start: Whether the app starts cards that its report's answer asks for.
        schemas: What the app's structs can decode.
    """

    def __init__(
        self,
        hardware: Hardware,
        *,
        apns: ApnsSimulator,
        api: str,
        token: Callable[[str], str],
        errands: Errands,
        attributes_types: Sequence[str] = (ATTRIBUTES_TYPE,),
        follows: Sequence[str] = (),
        self_start: bool = False,
        schemas: Schemas = ANYTHING,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.hardware = hardware
        self.refusals: list[Refusal] = []
        self._now = now
        self._lock = threading.RLock()
        self._line = Line(errands)
        client = AppClient(api, hardware.device, token, self.refusals.append)
        self.app = App(
            client,
            self._line,
            attributes_types=attributes_types,
            follows=follows,
            self_start=self_start,
            now=now,
            lock=self._lock,
        )
        self.ios = Ios(hardware, apns, now=now, started=self.app.woken, schemas=schemas, lock=self._lock)
        self.app.ios = self.ios
        self.installed = True

    @property
    def name(self) -> str:
        """What tests and timelines call it."""
        return self.hardware.name

    @property
    def is_idle(self) -> bool:
        """Whether its app has no request to make, nor one under way."""
        return self._line.is_idle

    # --- what it shows

    @property
    def cards(self) -> list[Card]:
        """All cards it ever had, the oldest first."""
        with self._lock:
            return list(self.ios.cards)

    @property
    def history(self) -> list[Sighting]:
        """What happened to its lock screen."""
        with self._lock:
            return list(self.ios.history)

    def card(self, activity: str) -> Card | None:
        """Return the latest card of an activity, however it ended."""
        return next((card for card in reversed(self.cards) if card.activity == activity), None)

    def shows(self, activity: str) -> Mapping[str, Any] | None:
        """Return what the lock screen shows of an activity: a content state, if it has a card at all."""
        card = self.card(activity)
        visible = (CardState.ACTIVE, CardState.STALE, CardState.ENDED)
        return card.content_state if card is not None and card.state(self._now()) in visible else None

    def starts(self, activity: str) -> list[Sighting]:
        """Return every push that put up a card of an activity: two of one run are one too many."""
        return [
            one
            for one in self.history
            if (one.by, one.event, one.activity, one.verdict) == ("push", "start", activity, Verdict.APPLIED)
        ]

    # --- what is done with it

    def launch(self, user: str | None = None) -> None:
        """Open the app, as this user if one is named: it reports."""
        if not self.installed:
            raise ValueError(f"{self.name} has no app any more")
        if user is not None:
            self.app.sign_in(user)
        self.app.runs = True
        self.app.report()

    def quit(self) -> None:
        """Force-quit the app: its code runs no more, its cards stay."""
        with self._lock:
            self.app.runs = False
            self._line.drop()

    def sign_out(self) -> None:
        """Sign out in the app."""
        self.app.sign_out()

    def change_user(self, user: str) -> None:
        """Sign in as somebody else, without signing out first."""
        self.launch(user)

    def uninstall(self) -> None:
        """Delete the app: its cards go, its tokens die, and nobody says so to the API."""
        with self._lock:
            self.quit()
            self.installed = False
            for card in self.ios.cards:
                if card.is_running(self._now()):
                    self.ios.take_down(card, CardState.DISMISSED, by="person", event="uninstall")
            self.ios.kill_tokens()

    def go_offline(self) -> None:
        """Lose the network, both ways."""
        self.ios.go_offline()
        self._line.hold()

    def go_online(self) -> None:
        """Find the network again: the push that APNs kept arrives, and the app's requests go out."""
        self.ios.go_online()
        self._line.release()

    def rotate(self, activity: str) -> None:
        """Let iOS replace the update token of each card of an activity."""
        for card in self.ios.running(activity):
            if card.channel is None:
                self.ios.update_token(card, fresh=True)
                self.app.rotated(card)

    def rotate_start_token(self, attributes_type: str = ATTRIBUTES_TYPE) -> None:
        """Let iOS replace the push-to-start token."""
        token = self.ios.start_token(attributes_type, fresh=True)
        if token is not None:
            self.app.start_token_rotated(attributes_type, token)

    def swipe(self, activity: str) -> None:
        """Swipe every card of an activity off the lock screen."""
        for card in self.ios.running(activity):
            self.ios.take_down(card, CardState.DISMISSED, by="person", event="swipe")
            self.app.dismissed(card)

    def kill_tokens(self, activity: str | None = None) -> None:
        """Let Apple call tokens dead, those of an activity's cards or all that there are; the app hears nothing of it."""
        self.ios.kill_tokens(activity)

    def start_card(self, activity: str, **card: Any) -> Card:
        """Start a card inside the app, without any push."""
        return self.app.start(activity, **card)

    # --- as JSON

    def to_json(self) -> dict[str, Any]:
        """Say what it is and shows, for the control interface."""
        with self._lock:
            now_s = self._now()
            return {
                "name": self.name,
                "device": self.hardware.device,
                "user": self.app.user,
                "environment": str(self.hardware.environment),
                "os_version": self.hardware.os_version,
                "online": self.ios.online,
                "app_runs": self.app.runs,
                "installed": self.installed,
                "start_tokens": dict(self.ios.start_tokens),
                "cards": [
                    {
                        "card": card.id,
                        "activity": card.activity,
                        "run": card.run,
                        "state": card.content_state,
                        "timestamp": card.timestamp_s,
                        "verdict": card.verdict,
                        "activity_state": card.state(now_s),
                        "attributes_type": card.attributes_type,
                        "attributes": card.attributes,
                        "dismissal_date": card.dismissal_date_s,
                        "token": card.token,
                        "channel": card.channel,
                    }
                    for card in self.ios.cards
                ],
                "history": [one.to_json() for one in self.ios.history],
                "refused_requests": [
                    {"request": one.request, "status": one.status, "body": one.body} for one in self.refusals
                ],
            }
