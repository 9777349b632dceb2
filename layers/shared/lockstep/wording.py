"""How long, which phone, and why not there, in a person's words: pure."""

from lockstep.findings import Finding, Why
from lockstep.row import Row

# So much of a phone's hash is enough to find it in the logs.
_HASH_DIGITS = 8


def ago(then_ms: int, now_ms: int) -> str:
    """Say how long ago something was: `12 s ago`, `4 min ago`, `3 h ago`, `2 days ago`."""
    return f"{duration((now_ms - then_ms) // 1000)} ago"


def duration(seconds: int) -> str:
    """Say how long something takes, in one unit."""
    seconds = max(0, seconds)
    for unit, size, least in (("days", 86_400, 2), ("h", 3_600, 2), ("min", 60, 2)):
        if seconds >= least * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def name(finding: Finding) -> str:
    """Name a phone by its user, and by its hash as logs do."""
    return finding.user if finding.phone is None else f"{finding.user}'s phone {finding.phone[:_HASH_DIGITS]}"


def why_not(why: Why, row: Row, at_ms: int, now_ms: int) -> str:
    """Say why an activity doesn't show on a phone, and what may be done."""
    then = ago(at_ms, now_ms)
    match why:
        case Why.NO_CARD:
            return (
                f"started {then}, and no card reported. The device's budget for starts is spent, the user has Live Activities "
                "off, the attributes or the state don't decode, or the app never reported the card."
            )
        case Why.UNCONFIRMED:
            return (
                f"a start set out {then}, Apple's answer was lost, and no card is reported. It counts as sent; the phone's own "
                "report mends a miss."
            )
        case Why.DEAD_TOKEN:
            return (
                f"Apple called its card's token dead {then}: the app was removed, the card is over, or the token changed and "
                "the app didn't tell."
            )
        case Why.NO_TOKEN:
            return (
                f"its card, registered {then}, has no update token, and it is on no channel: the app must pass on what "
                "pushTokenUpdates brings."
            )
        case Why.CANT_START:
            return (
                "it can't be started by push: attributes-type, content-state or an alert with title or body is missing, or all "
                "of it is too long together."
            )
        case Why.TO_BE_STARTED:
            return (
                "its start has not gone out: it is under way, waits in a queue, or failed (look at the dead letters)."
            )
        case Why.NO_START_TOKEN:
            return (
                f"no phone with a start token for {row.attributes_type or 'any attributes type'}: older than iOS 17.2, Live "
                "Activities off, signed out, or the app never reported one."
            )
        case Why.OLD_START_TOKEN:
            return "its last report doesn't list the start token that we know: the app must report the new one."
        case Why.EARLIER_RUN:
            return "it has a card of an earlier run alone, and no start token to start this one with."
        case Why.NOT_A_GUEST:
            return "its user is not among the guests, and is told nothing."
        case Why.NOT_FOLLOWING:
            return f"by its last report it doesn't follow {row.audience} any more."
        case Why.OTHER_USER:
            return "somebody else has signed in on it since."
        case Why.SIGNED_OUT:
            return "nobody is signed in on it."
        case Why.DISMISSED:
            return (
                f"its card went {then}: the user swiped it away, or a report didn't list it any more. This run is not started "
                "there again."
            )
        case Why.GONE:
            return "it had a card, and its last report doesn't list it any more: it was swiped away, or is over."
        case Why.JUST_STARTED:
            return f"started {then}; its app has not reported the card yet."
        case Why.SHOWS | Why.ON_CHANNEL:
            return "it should show."
