"""When phones hear of a row's state, and how urgently: pure."""

from dataclasses import dataclass, replace

from lockstep.row import Row

# A delayed delivery that is so much overdue is lost, or stuck behind others: whoever comes next delivers.
DUE_LIFE_MS = 5_000

# A stamp further ahead of the clock waits: iOS passes over a push from the future (APNs field reports).
AHEAD_MAX_S = 2

# So long a silent state waits for the delivery of an alert to be done, or phones that heard the alert would hear it again.
ALERT_WAIT_MS = 10_000
LOOK_AGAIN_MS = 1_000

_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Pace:
    """
    How often phones may hear of an activity.

    Attributes:
        min_interval_ms: Between two deliveries of silent updates to everyone; 0 for no pause.
        priority_budget: Silent updates an hour that go out with priority 10, where the producer says none.
    """

    min_interval_ms: int
    priority_budget: int

    def due_ms(self, row: Row, now_ms: int) -> int:
        """
        Say when a row that owes its phones something is to be delivered, in Unix milliseconds; `now_ms` for at once.

        Starts, ends and alerts don't wait for the interval; nothing goes out whose stamp would be far ahead of the clock.
        """
        due_ms = now_ms
        if row.urgent_revision <= row.claimed_revision:
            paced_ms = row.due_at_ms if is_due(row, now_ms) else row.delivered_at_ms + self.min_interval_ms
            due_ms = max(now_ms, paced_ms)
            if alert_is_under_way(row, now_ms):
                due_ms = max(due_ms, now_ms + LOOK_AGAIN_MS)
        return max(due_ms, stamp_due_ms(row, now_ms))

    def claimed(self, row: Row, now_ms: int) -> Row:
        """Claim a row for a delivery to everyone: its stamp, its place in the pace, its priority."""
        now_s = now_ms // 1000
        after = row.stamped(now_s) if row.needs_stamp(now_s) else replace(row, writes=row.writes + 1)
        return replace(self._counted(after, now_ms), delivered_at_ms=now_ms, due_at_ms=0, claimed_revision=row.revision)

    def _counted(self, row: Row, now_ms: int) -> Row:
        """Count a silent update against the hour's budget, once."""
        hour = now_ms // _HOUR_MS
        spent = row.spent if hour == row.hour else 0
        if row.claimed_revision != row.revision and row.is_silent(now_ms) and row.state_priority is None:
            spent += 1
        return replace(row, hour=hour, spent=spent, lowered=spent > self.priority_budget)


def is_due(row: Row, now_ms: int) -> bool:
    """Say whether a delayed delivery is on its way, as far as one can know."""
    return row.due_at_ms > 0 and now_ms < row.due_at_ms + DUE_LIFE_MS


def stamp_due_ms(row: Row, now_ms: int) -> int:
    """Say when the row's stamp may go out; `now_ms` for at once."""
    now_s = now_ms // 1000
    stamp_s = row.stamped(now_s).timestamp_s if row.needs_stamp(now_s) else row.timestamp_s
    return now_ms if stamp_s <= now_s + AHEAD_MAX_S else (stamp_s - AHEAD_MAX_S) * 1000


def alert_is_under_way(row: Row, now_ms: int) -> bool:
    """Say whether a delivery set out with an alert that still rings, and has not come back yet."""
    return (
        row.sent_revision < row.alert_revision <= row.claimed_revision < row.revision
        and row.rings(row.sent_revision, now_ms)
        and now_ms < row.delivered_at_ms + ALERT_WAIT_MS
    )
