"""The five promises, held against what Apple was sent, what the tables hold and what the functions logged."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from bench.stadium.broadcasts import Saying, why_said
from bench.stadium.causes import CRASHED, UNEXPLAINED, Circumstances
from bench.stadium.crowd import Crowd
from bench.stadium.fan import Fan
from bench.stadium.hearing import can_hear, who_heard
from bench.stadium.ledger import Entry
from bench.stadium.match import SECRET
from bench.stadium.repeats import repeats
from lockstep.apns import Environment
from onebox.queues import QueuedMessage

# By default; where nothing holds a function up, a page takes a second or two.
_UNDER_WAY_MS = 5_000

# A whole token, or more than a hash of a phone; a JWT; a key.
_SECRETS = re.compile(rf"[0-9a-f]{{64,}}|eyJ[\w-]+\.|PRIVATE KEY|{SECRET}")


def unanswered(logs: Iterable[Path]) -> set[str]:
    """Name the phones of which a function logged that a push had no answer."""
    said = re.compile(r'"outcome":"unanswered".*"phone":"([0-9a-f]+)"')
    return {
        found[1]
        for log in logs
        for line in log.read_text(encoding="utf-8").splitlines()
        if (found := said.search(line))
    }


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What became of a promise.

    Attributes:
        found: What broke it, a few words each; empty where it held.
        how: How that was looked at.
    """

    promise: str
    how: str
    found: Sequence[str]

    @property
    def held(self) -> bool:
        return not self.found


class Judge:
    """
    Looks at everything once it has come to rest.

    Args:
        channels: Those that there are, and of which environment each is.
        saying: How channels keep what is said, and what may be said again on them.
        lapsed_ms: When a function could not note what it had learnt.
        under_way_ms: So long may a page be under way that was read before a token was found dead elsewhere.

    Attributes:
        heard: What each phone was sent, and what it heard on its channel.
        repeats: What brought a phone a state again, by cause.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        crowd: Crowd,
        crashed_ms: Sequence[int],
        *,
        last_state: int,
        page: int,
        unanswered: AbstractSet[str] = frozenset(),
        channels: Mapping[str, Environment] | None = None,
        saying: Saying | None = None,
        lapsed_ms: Sequence[int] = (),
        under_way_ms: int = _UNDER_WAY_MS,
    ) -> None:
        saying = saying or Saying()
        self._channels = channels or {}
        self._crowd = crowd
        self._page = page
        self._entries = entries
        self._last = last_state
        self._under_way_ms = under_way_ms
        self._crashed_ms = crashed_ms
        self.heard = who_heard(entries, crowd, self._channels, keeps=not saying.says_again)
        self._around = Circumstances.of(entries, crashed_ms, unanswered, lapsed_ms)
        self.repeats = repeats(self.heard, self._around, why_said(entries, self._around, saying, self._channels))

    def verdicts(self, dead_letters: dict[str, list[QueuedMessage]], logs: Iterable[Path]) -> list[Verdict]:
        """Judge each promise, and whether each phone was reached once per state."""
        return [
            Verdict(
                "1. every phone ends up with the last state",
                "the newest stamp each live phone was sent, or heard on its channel, carries the last state",
                self._behind(),
            ),
            Verdict(
                "2. nothing older after newer, no second card, no stranger",
                "stamps against states of each phone; starts taken per start token; pushes to phones that don't follow;"
                " phones started on a channel that is not theirs, and what else than an update is said on one",
                [*self._backwards(), *self._second_cards(), *self._strangers(), *self._mischanneled()],
            ),
            Verdict(
                "3. no publish is lost",
                "dead-letter queues hold what can't work, with its reason, and nothing else; 1 holds for the rest",
                self._lost(dead_letters),
            ),
            Verdict(
                "4. no token known dead is pushed again, no live one forgotten",
                "pushes after a 410 that a function read, but of pages under way elsewhere; the token in each phone's rows",
                [*self._dead_again(), *self._forgotten()],
            ),
            Verdict(
                "5. nothing secret is logged",
                "no token, JWT, key or word of a state in any line of the functions' logs",
                _spoken(logs),
            ),
            Verdict(
                "each phone is reached once per state",
                "again only for one of the causes above; after a death, a page at most, and a broadcast in each environment",
                self._too_often(),
            ),
        ]

    def _too_often(self) -> list[str]:
        again, deaths = self.repeats, len(self._crashed_ms)
        found = []
        if unexplained := _of(again.pushes, UNEXPLAINED) + _of(again.hearings, UNEXPLAINED):
            few = "; ".join(f"{count} {how}" for how, count in again.unexplained.most_common(5))
            found.append(f"{unexplained} repeats that nothing explains ({few})")
        if (many := _of(again.pushes, CRASHED)) > self._page * deaths:
            found.append(f"{many} repeats after {deaths} deaths")
        if (many := _of(again.broadcasts, CRASHED)) > len(Environment) * deaths:
            found.append(f"{many} broadcasts again after {deaths} deaths")
        return found

    # --- 1 and 2

    def _shown(self, fan: Fan) -> tuple[int, list[int]]:
        """Say what a phone shows in the end (-1: nothing), and which states it showed in turn; iOS passes over old stamps."""
        state, stamp_s = fan.started_itself or (-1, 0)
        states = [state]
        for one in (each.entry for each in self.heard.get(fan, ())):
            if one.status == 200 and one.stamp_s >= stamp_s:
                state, stamp_s = one.state, one.stamp_s
                states.append(state)
        return state, states

    def _behind(self) -> list[str]:
        shows = Counter(self._shown(fan)[0] for fan in self._crowd.fans if not fan.gone_ms)
        return [f"{count} phones show state {state}" for state, count in sorted(shows.items()) if state != self._last]

    def _backwards(self) -> list[str]:
        shown = (self._shown(fan)[1] for fan in self._crowd.fans)
        back = sum(any(a > b for a, b in pairwise(states)) for states in shown)
        return [f"{back} phones went back to an older state"] if back else []

    def _second_cards(self) -> list[str]:
        starts = Counter(one.token for one in self._entries if one.event == "start" and one.status == 200)
        twice = sum(count > 1 for count in starts.values())
        both = sum(fan.started_itself is not None and starts[fan.start_token] > 0 for fan in self._crowd.fans)
        return [f"{n} phones got two cards {how}" for n, how in ((twice, "by push"), (both, "by push and app")) if n]

    def _strangers(self) -> list[str]:
        reached = {fan.index for fan, heard in self.heard.items() if heard and not fan.follows}
        return [f"{len(reached)} strangers were reached"] if reached else []

    def _mischanneled(self) -> list[str]:
        astray = {
            one.token
            for one in self._entries
            if one.token and one.channel and not can_hear(self._crowd.of[one.token], one.channel, self._channels)
        }
        twice = sum(
            any(each.entry.is_broadcast for each in heard)
            and any(each.entry.token == fan.token and each.entry.status == 200 for each in heard)
            for fan, heard in self.heard.items()
        )
        other = sum(one.is_broadcast and one.event != "update" for one in self._entries)
        counted = (
            (len(astray), "phones were started on a channel that they can't hear"),
            (twice, "phones on a channel were pushed too"),
            (other, "broadcasts were no updates"),
        )
        return [f"{count} {what}" for count, what in counted if count]

    # --- 3 to 5

    def _lost(self, dead_letters: dict[str, list[QueuedMessage]]) -> list[str]:
        found = [
            f"in {queue}: {letter.attributes.get('reason', 'for no reason')}"
            for queue, letters in dead_letters.items()
            for letter in letters
        ]
        refused = [why for why in found if why.startswith("in PublishDeadLetterQueue: aps.content-state:")]
        if not refused:
            return [*found, "what can't work is nowhere"]
        # To put a message aside and to take it off its queue are two calls: who dies in between puts it aside again.
        once = len(refused) <= 1 + len(self._crashed_ms)
        return [why for why in found if why not in refused] if once else found

    def _dead_again(self) -> list[str]:
        found = []
        for heard in self.heard.values():
            dead: dict[str, Entry] = {}
            for one in (each.entry for each in heard if not each.entry.is_broadcast):
                first = dead.get(one.token)
                if first and not self._may_not_know(first, one):
                    connection = "the same" if one.connection == first.connection else "another"
                    found.append(f"pushed {one.at_ms - first.at_ms} ms after its 410, on {connection} connection")
                if one.status == 410 and not one.fault:
                    dead[one.token] = one
        return [f"{len(found)} pushes to tokens known dead: {', '.join(found[:5])}"] if found else []

    def _may_not_know(self, first: Entry, again: Entry) -> bool:
        """Whether who pushed again need not have known of the 410: nobody read it, or another had read its page before."""
        if any(first.at_ms <= at_ms <= again.at_ms for at_ms in self._crashed_ms):
            return True
        if first.connection in self._around.broken or self._around.has_lapsed(first, again):
            return True
        return again.connection != first.connection and again.at_ms - first.at_ms < self._under_way_ms

    def _forgotten(self) -> list[str]:
        live = [fan for fan in self._crowd.fans if not fan.gone_ms]
        cards = sum(not self._crowd.has_card(fan) for fan in live)
        starts = sum(self._crowd.stored_start_token(fan) != fan.start_token for fan in live)
        return [f"{n} live {what} were forgotten" for n, what in ((cards, "cards"), (starts, "start tokens")) if n]


def _of(causes: Mapping[str, int], why: str) -> int:
    return sum(count for cause, count in causes.items() if cause.startswith(why))


def _spoken(logs: Iterable[Path]) -> list[str]:
    found = []
    for log in logs:
        with log.open(encoding="utf-8") as lines:
            found += [f"{log.name}: {match[0][:8]}…" for line in lines if (match := _SECRETS.search(line))]
    return found[:5]
