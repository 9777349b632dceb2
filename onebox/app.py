"""What the app does on one simulated iPhone: report, pass tokens on, keep one card per activity."""

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from onebox.app_client import AppClient
from onebox.errands import Line
from onebox.ios import Ios
from onebox.lock_screen import Card, CardState, decodes


class App:
    """
    The app's code; while it is force-quit, none of it runs.

    Args:
        attributes_types: The Swift structs that it has Live Activities for.
        self_start: Whether it starts cards by itself for what the API says the user wants.
        lock: Guards the phone; iOS has the same one.
    """

    def __init__(
        self,
        client: AppClient,
        line: Line,
        *,
        attributes_types: Sequence[str],
        follows: Sequence[str],
        self_start: bool,
        now: Callable[[], float],
        lock: threading.RLock,
    ) -> None:
        self.user: str | None = None
        self.runs = False
        self.follows = list(follows)
        self.self_start = self_start
        self.attributes_types = list(attributes_types)
        self._client = client
        self._line = line
        self._now = now
        self._lock = lock
        self._observed_at_ms = 0
        # What the person swiped away is not started again by us.
        self._unwanted: set[tuple[str, int | None]] = set()
        self.ios: Ios

    # --- reports

    def report(self) -> None:
        """Tell the whole truth about this phone, and act on the answer."""
        with self._lock:
            user, ios = self.user, self.ios
            if user is None or not self.runs:
                return
            tokens = {name: ios.start_token(name) for name in self.attributes_types}
            truth = {
                "observed_at_ms": self._now_ms(),
                "environment": str(ios.hardware.environment),
                "os_version": ios.hardware.os_version,
                "frequent_updates": True,
                "follows": list(self.follows),
                "start_tokens": [{"attributes_type": name, "token": token} for name, token in tokens.items() if token],
                "cards": [self._card(card) for card in ios.cards if card.is_running(self._now())],
            }
        self._line.add(lambda: self._obey(user, self._client.report(user, truth)))

    def _card(self, card: Card) -> dict[str, Any]:
        known = {"run": card.run, "token": card.token}
        return {"card": card.id, "activity": card.activity} | {k: v for k, v in known.items() if v is not None}

    def _obey(self, user: str, activities: Sequence[Mapping[str, Any]]) -> None:
        for activity in activities:
            with self._lock:
                # An answer that somebody else asked for, before a sign-out, is not for whoever holds the phone now.
                if self.user == user:
                    self._agree(activity)

    def _agree(self, said: Mapping[str, Any]) -> None:
        run, state, timestamp_s = said["run"], self._decoded(said), said.get("timestamp") or 0
        if (said["activity"], None) in self._unwanted:
            # What went before its run was known was of the first that we hear of, as a card that still shows is.
            self._unwanted.remove((said["activity"], None))
            self._unwanted.add((said["activity"], run))
        shown = None
        for card in self.ios.running(said["activity"]):
            if card.run is None:
                card.run = run
            if said["ended"] or card.run < run:
                if isinstance(state, Mapping) and card.run == run:
                    card.content_state = state
                card.end(self._now())
                self.ios.note("report", "end", card)
            elif card.run == run:
                shown = card
                if timestamp_s > card.timestamp_s and isinstance(state, Mapping):
                    card.content_state, card.timestamp_s = state, timestamp_s
                    card.stale_date_s = said.get("stale_date")
                    self.ios.note("report", "update", card)
        wanted = self.self_start and not said["ended"] and (said["activity"], run) not in self._unwanted
        # What doesn't decode makes no card. An activity may have no state yet.
        wanted = wanted and (state is not None or said.get("content_state") is None)
        if wanted and shown is None and said.get("attributes_type") in self.attributes_types:
            self.start(
                said["activity"],
                run=run,
                attributes_type=said["attributes_type"],
                attributes=said.get("attributes") or {},
                content_state=state or {},
                timestamp_s=timestamp_s,
                channel=said.get("channel"),
                by="report",
            )

    def _decoded(self, said: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the state that the API tells, if the app's structs take it, and the attributes."""
        state = said.get("content_state")
        attributes_type, attributes = str(said.get("attributes_type")), said.get("attributes")
        fits = isinstance(state, Mapping) and decodes(self.ios.schemas, attributes_type, attributes, state)
        return state if fits else None

    # --- cards

    def start(
        self,
        activity: str,
        *,
        run: int | None = None,
        attributes_type: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        content_state: Mapping[str, Any] | None = None,
        timestamp_s: int = 0,
        channel: str | None = None,
        by: str = "app",
    ) -> Card:
        """Make a card from inside the app, which needs no push; on a channel, or with a token of its own."""
        card = Card(
            id=str(uuid.uuid4()).upper(),
            activity=activity,
            run=run,
            attributes_type=attributes_type or self.attributes_types[0],
            attributes=attributes or {},
            content_state=content_state or {},
            timestamp_s=timestamp_s,
            began_at_s=self._now(),
        )
        with self._lock:
            self.ios.add(card, by=by)
            if channel is not None and self.ios.hardware.runs(18):
                self.ios.subscribe(card, channel)
            self._pass_on(card)
        return card

    def woken(self, card: Card) -> None:
        """Look after a card that a push has started: iOS wakes the app for it, unless it was force-quit."""
        with self._lock:
            if self.runs and self.user is not None:
                self._line.add(lambda: self._welcome(card))
            elif self.runs:
                # It was on its way when the user signed out.
                self.ios.take_down(card, CardState.DISMISSED, by="app", event="end")

    def _welcome(self, card: Card) -> None:
        """Keep one card per activity: that of the highest run; of two with the same run, the one that was there."""
        with self._lock:
            for other in self.ios.running(card.activity):
                if other is card:
                    continue
                keeps, goes = (other, card) if _order(other) >= _order(card) else (card, other)
                self.ios.take_down(goes, CardState.DISCARDED, by="app", event="discard")
                if goes is other:
                    self._delete(other, "ended")
                if keeps is other:
                    return
            if card.is_running(self._now()):
                self._pass_on(card)

    def _pass_on(self, card: Card) -> None:
        """Say that a card exists, then which token it got: the token comes later, on a real phone."""
        self._put(card, None)
        if card.channel is None:
            self._put(card, self.ios.update_token(card))

    def rotated(self, card: Card) -> None:
        """Pass on the update token that iOS has just replaced."""
        with self._lock:
            if self.runs:
                self._put(card, card.token)

    def start_token_rotated(self, attributes_type: str, token: str) -> None:
        """Pass on the start token that iOS has just replaced."""
        with self._lock:
            if self.runs and (user := self.user) is not None:
                body = {"token": token, "observed_at_ms": self._now_ms()}
                self._line.add(lambda: self._client.put_start_token(user, attributes_type, body))

    def dismissed(self, card: Card) -> None:
        """Say that the person swiped a card away."""
        with self._lock:
            self._unwanted.add((card.activity, card.run))
            if self.runs:
                self._delete(card, "dismissed")

    def _put(self, card: Card, token: str | None) -> None:
        if (user := self.user) is not None:
            body = self._card(card) | {"observed_at_ms": self._now_ms()}
            body = {name: value for name, value in body.items() if name not in ("card", "token")}
            body |= {} if token is None else {"token": token}
            self._line.add(lambda: self._client.put_card(user, card.id, body))

    def _delete(self, card: Card, reason: str) -> None:
        if (user := self.user) is not None:
            self._line.add(lambda: self._client.delete_card(user, card.id, reason))

    # --- users

    def sign_in(self, user: str) -> None:
        """Use the phone as this user from now on."""
        with self._lock:
            self.user = user

    def sign_out(self) -> None:
        """Let Lockstep forget this phone, and end its cards."""
        with self._lock:
            user, self.user = self.user, None
            if user is None:
                return
            for card in self.ios.cards:
                if card.is_running(self._now()):
                    self.ios.take_down(card, CardState.DISMISSED, by="app", event="end")
            observed_at_ms = self._now_ms()
            self._line.add(lambda: self._client.sign_out(user, observed_at_ms))

    def _now_ms(self) -> int:
        """Return the phone's time; no two observations share a moment."""
        self._observed_at_ms = max(int(self._now() * 1000), self._observed_at_ms + 1)
        return self._observed_at_ms


def _order(card: Card) -> int:
    return -1 if card.run is None else card.run
