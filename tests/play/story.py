"""What may happen in a play, drawn by Hypothesis: a list of acts, and a few seconds of clock between them."""

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from tests.play.world import ACTIVITIES, CONTAINERS, PAGES, STRANGER, TEAM, USERS, World
from tests.previous.release import Release

APNS_FAULTS = (
    "429 TooManyRequests",
    "500 InternalServerError",
    "503 ServiceUnavailable",
    "503 Shutdown",
    "400 BadDeviceToken",
    "410 Unregistered",
    "410 ExpiredToken",
    "403 InvalidProviderToken",
    "403 ExpiredProviderToken",
    "413 PayloadTooLarge",
    "400 SomethingNew",
    "goaway",
    "refused_stream",
    "reset",
    "rst_stream",
    "taken rst_stream",
    "taken reset",
)

CHANNELS = (None, "frequent", "latest")

# What functions call, and so where they can die.
_CALLS = (
    "dynamodb BatchGetItem",
    "dynamodb BatchWriteItem",
    "dynamodb DeleteItem",
    "dynamodb Query",
    "dynamodb UpdateItem",
    "secretsmanager GetSecretValue",
    "sqs SendMessage",
    "sqs SendMessageBatch",
    "sqs ChangeMessageVisibility",
    "apns push",
    "apns request",
)
POINTS = tuple(f"{moment} {call}" for call in _CALLS for moment in ("before", "after"))

type Act = tuple[str, tuple[Any, ...]]


def _burst(world: World, activity: str, count: int) -> None:
    for _ in range(count):
        world.publish(activity, "update", late_s=0)


def _open_app(world: World, phone: int) -> None:
    if world.phone(phone).app.user is not None:
        world.phone(phone).launch()


def _network(world: World, phone: int, online: bool) -> None:
    one = world.phone(phone)
    world.disturbed.add(one.name)
    (one.go_online if online else one.go_offline)()


def _follow(world: World, phone: int, follows: bool) -> None:
    one = world.phone(phone)
    one.app.follows = [TEAM] if follows else []
    _open_app(world, phone)


def _change_user(world: World, phone: int, user: str | None) -> None:
    one = world.phone(phone)
    world.disturbed.add(one.name)
    world.handed.setdefault(one.name, []).append(len(one.history))
    if user is None:
        one.sign_out()
    else:
        one.change_user(user)


_activity, _phone, _call = st.sampled_from(ACTIVITIES), st.integers(0, 2), st.integers(1, 14)

ACTS: dict[str, tuple[Callable[..., object], tuple[st.SearchStrategy[Any], ...]]] = {
    "start": (
        lambda world, activity, to, channel, late_s: world.publish(
            activity, "start", to=to, channel=channel, late_s=late_s
        ),
        (
            _activity,
            st.sampled_from([USERS, USERS[:1], USERS[1:], TEAM, TEAM]),
            st.sampled_from(CHANNELS),
            st.sampled_from([0, 0, 20]),
        ),
    ),
    "update": (
        lambda world, activity, alert, late_s: world.publish(activity, "update", alert=alert, late_s=late_s),
        (_activity, st.booleans(), st.sampled_from([0, 0, 0, 10, 40])),
    ),
    "end": (
        lambda world, activity, late_s: world.publish(activity, "end", late_s=late_s),
        (_activity, st.sampled_from([0, 0, 30])),
    ),
    "burst": (_burst, (_activity, st.integers(2, 6))),
    "repeat": (lambda world, index: world.repeat(index), (st.integers(0, 20),)),
    "rotate key": (lambda world: world.rotate_key(), ()),
    "redrive": (lambda world: world.redrive(), ()),
    "turn": (lambda world: world.turn(), ()),
    "turn twice": (lambda world: (world.turn(), world.turn()), ()),
    "sweep": (lambda world: world.sweep(), ()),
    "ten minutes": (lambda world: (world.advance(610), world.sweep()), ()),
    "advance": (lambda world, seconds: world.advance(seconds), (st.sampled_from([0.3, 1, 3, 8, 80]),)),
    "open app": (_open_app, (_phone,)),
    "rotate": (lambda world, phone, activity: world.phone(phone).rotate(activity), (_phone, _activity)),
    "rotate start token": (lambda world, phone: world.phone(phone).rotate_start_token(), (_phone,)),
    "swipe": (lambda world, phone, activity: world.phone(phone).swipe(activity), (_phone, _activity)),
    "network": (_network, (_phone, st.booleans())),
    "change user": (_change_user, (_phone, st.sampled_from([*USERS, STRANGER]))),
    "follow": (_follow, (_phone, st.booleans())),
    "deploy": (
        lambda world, *how: world.roll(*how),
        (st.sampled_from(CONTAINERS), st.sampled_from(Release), st.sampled_from(PAGES)),
    ),
    "sign out": (_change_user, (_phone, st.none())),
    "apple": (
        lambda world, *how: world.apple(*how),
        (
            st.sampled_from(APNS_FAULTS),
            st.integers(1, 4),
            st.integers(0, 2),
            st.sampled_from(["push", "push", "broadcast", "broadcast", "channels"]),
        ),
    ),
    "crash": (
        lambda world, moment, call: world.outside.crash_at(moment, call),
        (st.sampled_from(["before", "after"]), _call),
    ),
    "crash on": (lambda world, point: world.outside.crash_on(point), (st.sampled_from(POINTS),)),
    "throttle": (lambda world, call: world.outside.throttle_at(call), (_call,)),
    "stale": (lambda world, queries: world.outside.stale(queries), (st.integers(1, 2),)),
    "two at once": (lambda world, call: world.meanwhile(call), (_call,)),
}

# What matters most is drawn most.
_OFTEN = (
    "start",
    "update",
    "burst",
    "turn",
    "turn twice",
    "advance",
    "apple",
    "crash",
    "crash on",
    "deploy",
    "two at once",
)

acts: st.SearchStrategy[Act] = st.sampled_from([*ACTS, *_OFTEN]).flatmap(
    lambda name: st.tuples(st.just(name), st.tuples(*ACTS[name][1]))
)

# Every play begins with something to follow, and with some functions of the previous release.
plays = st.lists(acts, min_size=4, max_size=22)
not_deployed_yet = st.lists(st.sampled_from(CONTAINERS), unique=True)


def play(
    begin: Callable[[], World], story: Sequence[Act], *, page_phones: int = PAGES[0], previous: Sequence[str] = ()
) -> World:
    """
    Play a story to its end, at first with pages of this size, and with these containers of the previous release.

    Raises:
        Broken: A promise was broken.
    """
    world = begin()
    for container in CONTAINERS:
        world.deploy(container, Release.PREVIOUS if container in previous else Release.THIS, page_phones)
    world.publish(ACTIVITIES[0], "start", to=USERS, late_s=0)
    world.publish(ACTIVITIES[1], "start", to=TEAM, channel="frequent", late_s=0)
    for name, how in story:
        ACTS[name][0](world, *how)
        world.check()
    world.finish()
    return world
