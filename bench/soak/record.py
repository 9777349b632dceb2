"""What a soak leaves to be judged, and what it is judged by: the stadium's judge, and the play's model."""

import json
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from bench.stadium.crowd import Crowd
from bench.stadium.judge import Judge, Verdict, unanswered
from bench.stadium.ledger import Entry
from lockstep.phones import ROWS_OF_PHONE
from onebox.phone import Phone
from onebox.queues import QueuedMessage
from tests.play.model import Activity, wrong_in_the_end, wrong_now

# A page that DynamoDB throttles, or that many processes hold up, is under way longer than the stadium's.
_UNDER_WAY_MS = 15_000

# Of Powertools' loggers, as they are by default.
_TIMESTAMP = "%Y-%m-%d %H:%M:%S,%f%z"


def failed_ms(logs: Iterable[Path]) -> list[int]:
    """Say when functions logged that a message failed, in Unix milliseconds."""
    found = []
    for log in logs:
        with log.open(encoding="utf-8") as lines:
            for line in lines:
                if '"message":"failed"' in line:
                    at = datetime.strptime(json.loads(line)["timestamp"], _TIMESTAMP)  # noqa: DTZ007 it has %z
                    found.append(int(at.timestamp() * 1000))
    return found


@dataclass(frozen=True)
class Record:
    """
    All that is known once everything has come to rest.

    Attributes:
        entries: All that Apple was sent.
        crowd: The large audience.
        last_state: The last that was published for it.
        page: Phones of a page.
        crashed_ms, cut_ms: When functions were killed at their timeouts, and when Apple cut its connections.
        letters: Dead letters when all was at rest; later, what of them came back from a redrive.
        behind: What people's phones lacked at rest, before any app was opened once more, and once all were.
        activities: All that was published for people.
        phones: Theirs.
        handed: How much one had seen, by its name, each time that somebody signed in or out on it.
        calm: How many entries there were before the last update of all that runs, when nothing went wrong any more.
        ended_s: When that was over, Unix time.
    """

    entries: Sequence[Entry]
    crowd: Crowd
    last_state: int
    page: int
    crashed_ms: Sequence[int]
    cut_ms: Sequence[int]
    logs: Sequence[Path]
    letters: Mapping[str, Sequence[QueuedMessage]]
    letters_later: Mapping[str, Sequence[QueuedMessage]]
    behind: Sequence[str]
    activities: Sequence[Activity]
    phones: Sequence[Phone]
    handed: Mapping[str, Sequence[int]]
    calm: int
    ended_s: float

    @cached_property
    def of_audience(self) -> list[Entry]:
        """What its phones were sent."""
        return [one for one in self.entries if one.token in self.crowd.of]

    @cached_property
    def judge(self) -> Judge:
        """Who judges what the audience was sent."""
        return Judge(
            self.of_audience,
            self.crowd,
            self.crashed_ms,
            last_state=self.last_state,
            page=ROWS_OF_PHONE * self.page,
            unanswered=unanswered(self.logs),
            lapsed_ms=[*failed_ms(self.logs), *self.cut_ms],
            under_way_ms=_UNDER_WAY_MS,
        )

    def verdicts(self) -> list[Verdict]:
        """Judge the five promises."""
        later = {queue: list(letters) for queue, letters in self.letters_later.items()}
        on_audience = self.judge.verdicts(later, self.logs)[:5]
        return [
            Verdict(of.promise, f"{of.how}; {how}", [*of.found, *found])
            for of, (how, found) in zip(on_audience, self._on_people(), strict=True)
        ]

    def _on_people(self) -> list[tuple[str, Sequence[str]]]:
        wrong = list(wrong_in_the_end(list(self.activities), list(self.phones), self.ended_s))
        stamps = ((f"{one.event} to {one.token[:6]}", one.stamp_s, one.at_ms / 1000) for one in self.entries)
        given = (stamp for stamp in stamps if stamp[1])
        now = list(wrong_now(list(self.phones), given, handed=self.handed))
        return [
            ("what simulated iPhones show, at rest and once their apps were opened", [*self.behind, *wrong]),
            (
                "what each iPhone showed, in turn; its cards by push, between sign-ins; stamps; whom the last update went to",
                [*now, *self._strangers()],
            ),
            ("each dead letter has a reason, and none but those are left after a redrive", self._without_reason()),
            ("of the last update of all that runs, no push is refused for its token", self._dead()),
            ("the same of the functions for requests and for the clock", []),
        ]

    def _strangers(self) -> list[str]:
        running = [activity for activity in self.activities if activity.running]
        allowed: AbstractSet[str | None] = {
            card.token
            for phone in self.phones
            for card in phone.cards
            if any(card.activity == one.name and one.allows(phone.app.user) for one in running)
        }
        pushed = [one for one in self._last if one.event == "update" and not one.is_broadcast]
        strange = sum(one.token not in allowed and one.token not in self.crowd.of for one in pushed)
        return [f"{strange} pushes went to strangers' tokens"] if strange else []

    def _without_reason(self) -> list[str]:
        return [
            f"a dead letter in {queue} has no reason"
            for queue, letters in self.letters.items()
            for letter in letters
            if not letter.attributes.get("reason")
        ]

    def _dead(self) -> list[str]:
        refused = sum(one.status in (400, 410) for one in self._last)
        return [f"{refused} pushes to tokens that were known dead"] if refused else []

    @property
    def _last(self) -> Sequence[Entry]:
        return self.entries[self.calm :]
