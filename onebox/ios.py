"""
What iOS does on one simulated iPhone: its tokens, its cards, the pushes that reach it or wait for it.

Pushes arrive in the APNs simulator's thread and are applied there; what the app does about them is in `onebox.app`.
"""

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from lockstep.schemas import Schemas
from onebox.apns.device_tokens import Receive
from onebox.apns.received import ReceivedPush
from onebox.apns.simulator import ApnsSimulator
from onebox.hardware import Hardware
from onebox.lock_screen import Card, CardState, Verdict, apply, card_of, rings
from onebox.sighting import Sighting, Stream, stream_of


@dataclass(slots=True)
class _Stored:
    """The one push that APNs keeps for a phone that is offline."""

    push: ReceivedPush
    take: Callable[[ReceivedPush], Verdict]
    sighting: int


class Ios:
    """
    The lock screen of one phone and its tokens.

    Args:
        started: Told of a card that a push started.
        schemas: What the app's structs can decode.
        lock: Guards the phone; the app has the same one.
    """

    def __init__(
        self,
        hardware: Hardware,
        apns: ApnsSimulator,
        *,
        now: Callable[[], float],
        started: Callable[[Card], None],
        schemas: Schemas,
        lock: threading.RLock,
    ) -> None:
        self.hardware = hardware
        self.schemas = schemas
        self.online = True
        self.cards: list[Card] = []
        self.history: list[Sighting] = []
        self.start_tokens: dict[str, str] = {}
        # Every token that it ever had, dead ones too, with the card that it is of; None: it starts cards.
        self.tokens: dict[str, Card | None] = {}
        # The verdicts of pushes that APNs kept for a while; its own record says "stored".
        self.late_verdicts: dict[Stream, Verdict] = {}
        self._apns = apns
        self._now = now
        self._started = started
        self._lock = lock
        self._stored: _Stored | None = None
        # By card: who listens for it on its channel, and what APNs keeps there for a phone that is offline.
        self._listening: dict[str, Receive] = {}
        self._stored_on: dict[str, _Stored] = {}

    # --- tokens

    def start_token(self, attributes_type: str, *, fresh: bool = False) -> str | None:
        """Return the push-to-start token of an attributes type; none before iOS 17.2."""
        if not self.hardware.runs(17, 2):
            return None
        with self._lock:
            old = self.start_tokens.get(attributes_type)
            if old is None or fresh:
                self.start_tokens[attributes_type] = self._apns.issue_token(
                    self.hardware.environment, receive=self._receiver(partial(self._take_start, attributes_type))
                )
                self.tokens[self.start_tokens[attributes_type]] = None
                if old is not None:
                    self._apns.kill_token(old)
            return self.start_tokens[attributes_type]

    def update_token(self, card: Card, *, fresh: bool = False) -> str:
        """Return a card's update token; a fresh one is the end of the one before."""
        with self._lock:
            old = card.token
            if old is None or fresh:
                card.token = self._apns.issue_token(
                    self.hardware.environment, receive=self._receiver(partial(self._take_update, card))
                )
                self.tokens[card.token] = card
                if old is not None:
                    self._apns.kill_token(old)
            assert card.token is not None
            return card.token

    def kill_tokens(self, activity: str | None = None) -> None:
        """Let the tokens of an activity's cards die, or all that there are."""
        with self._lock:
            starts = self.start_tokens.values() if activity is None else ()
            cards = self.cards if activity is None else self.running(activity)
            for token in [*starts, *(card.token for card in cards)]:
                if token is not None:
                    self._apns.kill_token(token)

    # --- cards

    def running(self, activity: str) -> list[Card]:
        """Return the cards of an activity that are not over, the oldest first."""
        with self._lock:
            return [card for card in self.cards if card.activity == activity and card.is_running(self._now())]

    def add(self, card: Card, *, by: str) -> None:
        """Put up a card that the app made."""
        with self._lock:
            self.cards.append(card)
            self.note(by, "start", card)

    def take_down(self, card: Card, state: CardState, *, by: str, event: str) -> None:
        """Take a card off the lock screen for good; its token dies."""
        with self._lock:
            card.gone = state
            if card.token is not None:
                self._apns.kill_token(card.token)
            self._unsubscribe(card)
            self.note(by, event, card)

    def note(self, by: str, event: str, card: Card) -> None:
        """Record what a card now shows, by somebody else's doing than a push."""
        shown = card.content_state, card.timestamp_s
        self.history.append(Sighting.of(by, event, Verdict.APPLIED, card, shown, self._now()))

    # --- channels

    def subscribe(self, card: Card, channel: str) -> None:
        """
        Let a card hear what is said on a channel, in place of a token of its own.

        On one that isn't there it never hears anything: of pushes, Apple says nothing about that.
        """
        with self._lock:
            card.channel = channel
            self._listening[card.id] = receive = self._hearing(card)
        self._apns.channels.subscribe(self.hardware.environment, channel, receive)

    def _unsubscribe(self, card: Card) -> None:
        receive = self._listening.pop(card.id, None)
        if receive is not None and card.channel is not None:
            self._apns.channels.unsubscribe(self.hardware.environment, card.channel, receive)

    def _hearing(self, card: Card) -> Receive:
        def receive(push: ReceivedPush) -> str:
            with self._lock:
                if self.online:
                    return self._take_update(card, push)
                if _expiration_s(push) == 0:
                    return self._record_push(push, Verdict.EXPIRED, card)
                if card.id in self._stored_on:
                    self._decide(self._stored_on[card.id], Verdict.OVERWRITTEN_IN_STORAGE)
                verdict = self._record_push(push, Verdict.STORED, card)
                self._stored_on[card.id] = _Stored(push, partial(self._take_update, card), len(self.history) - 1)
                return verdict

        return receive

    # --- the network

    def go_offline(self) -> None:
        """Let no push through; APNs keeps the latest."""
        with self._lock:
            self.online = False

    def go_online(self) -> None:
        """Take the push that APNs kept, unless it is too late for it."""
        with self._lock:
            self.online = True
            waiting = [self._stored, *self._stored_on.values()]
            self._stored = None
            self._stored_on.clear()
            for kept in waiting:
                if kept is None:
                    continue
                expires_s = _expiration_s(kept.push)
                if expires_s is not None and self._now() >= expires_s:
                    self._decide(kept, Verdict.EXPIRED)
                else:
                    self.late_verdicts[stream_of(kept.push)] = kept.take(kept.push)

    # --- pushes

    def _receiver(self, take: Callable[[ReceivedPush], Verdict]) -> Callable[[ReceivedPush], str]:
        return lambda push: self._receive(push, take)

    def _receive(self, push: ReceivedPush, take: Callable[[ReceivedPush], Verdict]) -> str:
        with self._lock:
            if self.online:
                return take(push)
            if _expiration_s(push) == 0:
                return self._record_push(push, Verdict.EXPIRED)
            if self._stored is not None:
                self._decide(self._stored, Verdict.OVERWRITTEN_IN_STORAGE)
            verdict = self._record_push(push, Verdict.STORED)
            self._stored = _Stored(push, take, len(self.history) - 1)
            return verdict

    def _decide(self, stored: _Stored, verdict: Verdict) -> None:
        self.history[stored.sighting] = replace(self.history[stored.sighting], verdict=verdict)
        self.late_verdicts[stream_of(stored.push)] = verdict

    def _take_start(self, attributes_type: str, push: ReceivedPush) -> Verdict:
        aps = _aps(push)
        if aps.get("event") != "start":
            return self._record_push(push, Verdict.IGNORED_ENDED)
        channel = aps.get("input-push-channel")
        if channel is not None and "input-push-token" in aps:
            # Apple names no rule for both; nobody should find out.
            return self._record_push(push, Verdict.CONTRADICTORY)
        if channel is not None and not self.hardware.runs(18):
            return self._record_push(push, Verdict.IGNORED_NO_CHANNELS)
        card_id, now_s = str(uuid.uuid4()).upper(), self._now()
        made = card_of(aps, card_id=card_id, attributes_type=attributes_type, now_s=now_s, schemas=self.schemas)
        if isinstance(made, Verdict):
            return self._record_push(push, made)
        self.cards.append(made)
        verdict = self._record_push(push, Verdict.APPLIED, made)
        if channel is not None:
            self.subscribe(made, channel)
        # From iOS 18 a push says whether the card is to have an update token; before, every card has one.
        if channel is not None or not self.hardware.runs(18) or aps.get("input-push-token") == 1:
            self._started(made)
        return verdict

    def _take_update(self, card: Card, push: ReceivedPush) -> Verdict:
        aps = _aps(push)
        verdict = apply(card, aps, now_s=self._now(), schemas=self.schemas)
        return self._record_push(push, verdict, card)

    def _record_push(self, push: ReceivedPush, verdict: Verdict, card: Card | None = None) -> Verdict:
        aps = _aps(push)
        said = aps.get("content-state"), aps.get("timestamp")
        alert = aps["alert"] if verdict is Verdict.APPLIED and rings(aps) else None
        self.history.append(Sighting.of("push", str(aps.get("event")), verdict, card, said, self._now(), alert=alert))
        return verdict


def _aps(push: ReceivedPush) -> dict[str, Any]:
    aps = push.payload.get("aps") if isinstance(push.payload, dict) else None
    return aps if isinstance(aps, dict) else {}


def _expiration_s(push: ReceivedPush) -> int | None:
    said = push.headers.get("apns-expiration")
    return int(said) if said is not None and said.isdigit() else None
