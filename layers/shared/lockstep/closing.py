"""When an activity is over by Apple's clock, and when its end is said again: pure."""

from lockstep.row import Row

# Apple: a Live Activity is active for eight hours at most ("Displaying live data with Live Activities").
ACTIVE_S = 8 * 3600

# So long after its end is it said again to the cards whose tokens still live. 410 is how Apple confirms that one is over.
REPEATED_AFTER_S = (600, 3600)


def look_at_s(row: Row) -> int:
    """
    Say when the sweep has to do something about a row, in Unix seconds; 0 for never.

    A start opens an activity for eight hours. Without one the app makes the cards, and nobody knows when.
    """
    start, end = row.registers.start, row.registers.end
    if row.registers.ended and end is not None and row.repeats < len(REPEATED_AFTER_S):
        return end.version.published_at_ms // 1000 + REPEATED_AFTER_S[row.repeats]
    if row.registers.running and start is not None:
        return start.version.published_at_ms // 1000 + ACTIVE_S
    return 0
