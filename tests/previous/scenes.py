"""
What a release leaves behind: rows of every kind in both tables, messages of every queue, functions that died at work.

Each scene is played by one release's functions up to the moment at which the other's take over.
"""

from collections.abc import Callable
from itertools import count, islice

from lockstep.apns import Environment
from lockstep.ids import phone_of
from onebox.apns.simulator import Fault
from tests.messages import end, start, update
from tests.previous.stage import Kept, Stage, device

ORDER, MATCH, TEAM = "order-42", "match-7", "team-42"

STRANGERS_CHANNEL = "c3RyYW5nZXI="

# Monday, 3 January 2028, 12:00 UTC; each scene has a day of its own.
BEGIN_MS = 1_830_513_600_000
_DAY_MS = 86_400_000

# Whose phones follow the team: all of one slice.
FANS = tuple(islice((fan for i in count() if phone_of(device(fan := f"fan-{i}")).startswith("a")), 8))


def order(stage: Stage, *users: str) -> None:
    """Run an order on the phones of users, their cards registered, a first update delivered."""
    for user in users:
        stage.report(user)
    stage.publish(start(ORDER, *users))
    stage.rest()
    for user in users:
        assert stage.card(user, ORDER) == 204
    stage.rest()
    stage.move(5)
    stage.publish(update(ORDER, 20))
    stage.rest()
    stage.move(5)


def at_rest(stage: Stage) -> None:
    """An order on two phones; nothing is under way."""
    order(stage, "ana", "ben")


def paced(stage: Stage) -> None:
    """Two updates within a second: the second waits for its delayed delivery."""
    order(stage, "ana", "ben")
    stage.publish(update(ORDER, 15))
    stage.turn()
    stage.publish(update(ORDER, 14))
    stage.turn()


def owed(stage: Stage) -> None:
    """Push has died after it committed an update, before it sent any."""
    order(stage, "ana", "ben")
    stage.publish(update(ORDER, 15))
    with stage.dying("Query", lambda _: True, function="PushFunction"):
        stage.turn()


def start_unconfirmed(stage: Stage) -> None:
    """Push has died after it sent a start, before it could note that Apple took it; the lease is still its own."""
    stage.report("ana")
    stage.publish(start(ORDER, "ana"))
    with stage.dying("BatchWriteItem", lambda _: bool(stage.pushed("start")), function="PushFunction"):
        stage.turn()


def retries(stage: Stage) -> None:
    """Apple was busy: a start, and an update that rings, are to be tried again."""
    order(stage, "ana", "ben")
    stage.report("zoe")
    stage.publish(start(MATCH, "zoe"))
    stage.publish(update(ORDER, 2, aps={"alert": {"title": "Nearly there"}}))
    stage.apple(Fault("answer", count=2, skip=1, status=503, reason="ServiceUnavailable"))
    stage.turn()


def dead_tokens(stage: Stage) -> None:
    """Apple has called an update token and a start token dead."""
    order(stage, "ana", "ben")
    stage.kill(stage.token("ana card-1"))
    stage.kill(stage.token("ben start"))
    stage.publish(update(ORDER, 15))
    stage.publish(start(MATCH, "ben"))
    stage.rest()
    stage.move(5)


def to_come(stage: Stage) -> None:
    """Phones that came late: a catch-up and a start are queued for them."""
    order(stage, "ana")
    stage.publish(start(ORDER, "ana", "ben"))
    stage.rest()
    stage.move(5)
    stage.report("ben")
    assert stage.card("ana", ORDER, token=stage.token("ana rotated")) == 204


def handed_on(stage: Stage) -> None:
    """A delivery whose time was up has gone on as a message."""
    order(stage, "ana", "ben")
    stage.publish(update(ORDER, 15))
    with stage.short_of_time():
        stage.turn()


def ended(stage: Stage) -> None:
    """An order has ended, which is to be said again in ten minutes."""
    order(stage, "ana")
    stage.publish(end(ORDER, aps={"content-state": {"driver": "Ana", "minutes": 0}, "dismissal-date": 1_900_000_000}))
    stage.rest()
    stage.move(5)


def second_run(stage: Stage) -> None:
    """An order has ended and begun again; a card of each run is known."""
    ended(stage)
    stage.publish(start(ORDER, "ana"))
    stage.rest()
    assert stage.card("ana", ORDER, card="card-2") == 204
    stage.rest()
    stage.move(5)


def swiped(stage: Stage) -> None:
    """A user has swiped their card away; the marker stays."""
    order(stage, "ana", "ben")
    status, _ = stage.ask("DELETE", f"devices/{device('ana')}/cards/card-1?reason=dismissed", user="ana")
    assert status == 204


def signed_out(stage: Stage) -> None:
    """Register has died in a sign-out, before it deleted anything but the phone's owner."""
    order(stage, "ana", "ben")
    with stage.dying("DeleteItem", lambda _: True, function="RegisterFunction"):
        status, _ = stage.ask("DELETE", f"devices/{device('ana')}", user="ana")
    assert status == 500


def without_key(stage: Stage) -> None:
    """Apple refuses the signing key: a publish waits as a copy of itself."""
    order(stage, "ana")
    stage.publish(update(ORDER, 15))
    stage.apple(Fault("answer", status=403, reason="InvalidProviderToken"))
    stage.turn()
    stage.stack.apns.faults.clear()


def put_aside(stage: Stage) -> None:
    """A publish was refused, and a delivery failed too often."""
    order(stage, "ana")
    stage.stack.publish({"activity": ORDER, "aps": {"event": "pause"}, "published_at_ms": stage.now_ms})
    stage.turn()
    assert stage.card("ana", ORDER, token=stage.token("ana rotated")) == 204
    with stage.failing("BatchGetItem"):
        stage.rest()


def slices_of_starts(stage: Stage) -> None:
    """Push has died in the second page of a slice's starts: they are sent, the progress is that of the first."""
    for fan in FANS:
        stage.report(fan, follows=(TEAM,))
    stage.publish({**start(MATCH), "to": {"audience": TEAM}})
    with stage.dying("UpdateItem", _second_save(), function="PushFunction"):
        stage.rest()


def slices_of_cards(stage: Stage) -> None:
    """Push has died in the second page of a slice's cards: they have heard the state, which nobody noted."""
    for fan in FANS:
        assert stage.card(fan, MATCH) == 204
    stage.publish(update(MATCH, 20))
    stage.rest()
    stage.move(5)
    stage.publish(update(MATCH, 15))
    with stage.dying("UpdateItem", _second_save(), function="PushFunction"):
        stage.rest()


def channels(stage: Stage) -> None:
    """A match runs over a channel that keeps nothing, an order over one that keeps the last; a stranger's is seen."""
    stage.stack.apns.channels.create(Environment.PRODUCTION, 0, STRANGERS_CHANNEL)
    stage.report("zoe", os_version="18.2")
    stage.publish({**start(MATCH, "zoe"), "channel": "frequent"})
    stage.publish({**start(ORDER), "channel": "latest"})
    stage.turn()
    assert stage.card("zoe", MATCH, token=None) == 204
    stage.sweep()
    stage.turn()
    stage.move(5)
    stage.apple(Fault("answer", count=2, status=503, reason="ServiceUnavailable", on="broadcast"))
    stage.publish(update(ORDER, 15))
    stage.turn()


SCENES: dict[str, Callable[[Stage], None]] = {
    scene.__name__: scene
    for scene in (
        at_rest,
        paced,
        owed,
        start_unconfirmed,
        retries,
        dead_tokens,
        to_come,
        handed_on,
        ended,
        second_run,
        swiped,
        signed_out,
        without_key,
        put_aside,
        slices_of_starts,
        slices_of_cards,
        channels,
    )
}


def record(stage: Stage, name: str) -> Kept:
    """Play a scene with what is deployed, and keep what it leaves behind."""
    stage.begin(BEGIN_MS + _DAY_MS * list(SCENES).index(name))
    SCENES[name](stage)
    return stage.keep()


def _second_save() -> Callable[..., bool]:
    """Tell when a function is about to note the second page of the slice that has phones."""
    saves = count(1)

    def is_it(params: dict[str, object]) -> bool:
        noting = "#cursor" in str(params.get("UpdateExpression")) and f"lease#{MATCH}#a" in str(params["Key"])
        return noting and next(saves) == 2

    return is_it
