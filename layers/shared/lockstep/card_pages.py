"""The cards that deliveries are to bring up to date, with their phones: page by page, and those of small audiences together."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from lockstep.apns import Environment, Push
from lockstep.aws_faults import AWS_FAULTS
from lockstep.delivery import Delivery
from lockstep.dynamodb import GET_MAX
from lockstep.handover import Handover
from lockstep.jobs import Job
from lockstep.phones import Card, Marker, Phone
from lockstep.plan import Plan
from lockstep.row import Row
from lockstep.targets import target_of
from lockstep.tokens import Tokens

type Rows = list[Card | Marker]


class CardPages:
    """Reads rows before phones, strongly consistent. What fails is the error of its jobs alone."""

    def __init__(self, tokens: Tokens, handover: Handover, *, now: Callable[[], float]) -> None:
        self._tokens = tokens
        self._handover = handover
        self._now = now

    def of_jobs(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Rows, dict[str, Phone]]]:
        """
        Yield the cards of jobs, with markers, and their phones; other phones may be among these.

        An audience that is too big is handed to slices. A job whose rest was handed on (`cards_done`) is read no further.
        """
        few: list[tuple[Job, Rows]] = []
        for job in jobs:
            try:
                pages = self._handover.small(job) if job.delivery.whole else self.pages(job.delivery, job.plan.row)
                if pages is None:
                    self._handover.to_slices(job)
                elif isinstance(pages, list) and sum(map(len, pages)) <= GET_MAX:
                    few += [(job, rows) for rows in pages]
                else:
                    yield from self._of_one(job, pages)
            except AWS_FAULTS as error:
                job.error = error
            if sum(len(rows) for _, rows in few) >= GET_MAX:
                yield from self._together(few)
                few = []
        yield from self._together(few)

    def pages(self, delivery: Delivery, row: Row) -> Iterator[Rows]:
        """Read the cards and markers of a delivery's phones; no page is empty."""
        named, whole = delivery.phones, (delivery.first, delivery.last)
        for first, last in [whole] if named is None else [(phone, phone) for phone in named]:
            pages = self._tokens.of_activity(row.partitions, now_s=int(self._now()), first=first, last=last)
            yield from (page for page in pages if page)

    def phones_of(self, rows: Iterable[Card | Marker]) -> dict[str, Phone]:
        """Read the phones of those cards that have a token."""
        return self._tokens.phones_of_cards(
            row.phone for row in rows if isinstance(row, Card) and row.token is not None
        )

    def _of_one(self, job: Job, pages: Iterable[Rows]) -> Iterator[tuple[Job, Rows, dict[str, Phone]]]:
        for rows in pages:
            yield job, rows, self.phones_of(rows)
            if not job.cards_done:
                return

    def _together(self, few: Iterable[tuple[Job, Rows]]) -> Iterator[tuple[Job, Rows, dict[str, Phone]]]:
        every = list(few)
        try:
            phones = self.phones_of(row for _, rows in every for row in rows)
        except AWS_FAULTS as error:
            for job, _ in every:
                job.error = error
            return
        for job, rows in every:
            yield job, rows, phones


def to_cards(
    plan: Plan, rows: Iterable[Card | Marker], phones: Mapping[str, Phone]
) -> Iterator[tuple[Environment, Push]]:
    """Yield the pushes that a page's cards need. Those on a channel have no token, and hear it there."""
    every = list(rows)
    markers = {row.phone: row for row in every if isinstance(row, Marker)}
    for row in every:
        if isinstance(row, Card) and row.token is not None:
            push = plan.of_card(row, phones.get(row.phone), markers.get(row.phone))
            if push is not None:
                yield target_of(push).environment, push
