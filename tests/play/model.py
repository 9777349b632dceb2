"""What lock screens must show, worked out from what was published alone."""

from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from onebox.lock_screen import CardState, Verdict
from onebox.phone import Phone

# No stamp may be further ahead of the clock than this, in seconds.
STAMP_AHEAD_S = 3


@dataclass(frozen=True, slots=True)
class Said:
    """One publish. No two of an activity are of the same millisecond."""

    event: str
    at_ms: int
    users: tuple[str, ...] = ()
    audience: str | None = None
    channel: str | None = None


@dataclass(slots=True)
class Activity:
    """All that was published of one activity, in whatever order it arrived."""

    name: str
    said: list[Said] = field(default_factory=list)

    def _newest(self, *events: str) -> Said | None:
        return max((one for one in self.said if one.event in events), key=lambda one: one.at_ms, default=None)

    @property
    def ended(self) -> bool:
        """An end older than the newest start ends nothing."""
        start, end = self._newest("start"), self._newest("end")
        return end is not None and (start is None or end.at_ms > start.at_ms)

    @property
    def running(self) -> bool:
        """Whether phones should show it."""
        return bool(self.said) and not self.ended

    @property
    def state(self) -> int | None:
        """When the newest state was published, which is what the state says."""
        newest = self._newest("start", "update")
        return newest.at_ms if newest else None

    def allows(self, user: str | None) -> bool:
        """Say whether a user may follow: whom the start names, or everyone, where it names no users or has a channel."""
        start = self._newest("start")
        if user is None or start is None:
            return user is not None
        return start.audience is not None or start.channel is not None or user in start.users

    def wants(self, phone: Phone) -> bool:
        """Say whether the start names this phone."""
        start = self._newest("start")
        if start is None or phone.app.user is None:
            return False
        return start.audience in phone.app.follows if start.audience else phone.app.user in start.users


def shown(phone: Phone, activity: str, now_s: float) -> list[object]:
    """Return what the phone's running cards of an activity say."""
    cards = [card for card in phone.cards if card.activity == activity]
    return [card.content_state.get("at") for card in cards if card.state(now_s) in (CardState.ACTIVE, CardState.STALE)]


def wrong_now(
    phones: list[Phone], pushes: Iterator[tuple[str, int, float]], *, handed: Mapping[str, Sequence[int]]
) -> Iterator[str]:
    """
    Yield what must not be, whatever is still under way.

    Args:
        handed: How much a phone had seen, by its name, each time that somebody signed in or out on it: what was taken off or
            swiped away in one's hands may be put up anew in another's.
    """
    for phone in phones:
        changes = handed.get(phone.name, ())
        starts = Counter(
            (one.activity, one.run, bisect(changes, seen))
            for seen, one in enumerate(list(phone.history))
            if (one.by, one.event, one.verdict) == ("push", "start", Verdict.APPLIED)
        )
        for (activity, run, _), count in starts.items():
            if count > 1:
                yield f"{phone.name} got {count} cards of run {run} of {activity} by push"
        newest: dict[str | None, int] = {}
        for one in phone.history:
            at_ms = (one.content_state or {}).get("at") if isinstance(one.content_state, dict) else None
            if one.verdict is not Verdict.APPLIED or one.event not in ("start", "update") or at_ms is None:
                continue
            if at_ms < newest.get(one.card, 0):
                yield f"{phone.name} went back from {newest[one.card]} to {at_ms} ({one.by} {one.event} of {one.activity})"
            newest[one.card] = at_ms
    for what, stamp_s, now_s in pushes:
        if stamp_s - now_s >= STAMP_AHEAD_S:
            yield f"the stamp of {what} is {stamp_s - now_s:.1f} s ahead of the clock"


def behind(activities: list[Activity], phones: list[Phone], now_s: float) -> Iterator[str]:
    """Yield which cards are behind, though nothing but a push may have to bring them up to date."""
    for activity in activities:
        for phone in phones:
            says = shown(phone, activity.name, now_s) if activity.allows(phone.app.user) else []
            if activity.ended and says:
                yield f"{phone.name} was not told the end of {activity.name}"
            if activity.running and any(at_ms != activity.state for at_ms in says):
                yield f"{phone.name} was brought {says} of {activity.name}, not {activity.state}"


def wrong_in_the_end(activities: list[Activity], phones: list[Phone], now_s: float) -> Iterator[str]:
    """Yield what must not be once all is said and done, and every app was opened."""
    for activity in activities:
        for phone in phones:
            user, says = phone.app.user, shown(phone, activity.name, now_s)
            if not activity.allows(user):
                continue
            if activity.ended and says:
                yield f"{phone.name} still shows {activity.name}, which has ended"
            unwanted = any(name == activity.name for name, _ in phone.app._unwanted)
            if activity.running and activity.wants(phone) and not unwanted and says != [activity.state]:
                yield f"{phone.name} of {user} shows {says} of {activity.name}, not {activity.state}"
            if activity.running and any(at_ms != activity.state for at_ms in says):
                yield f"{phone.name} of {user} shows {says} of {activity.name}; the newest is {activity.state}"
