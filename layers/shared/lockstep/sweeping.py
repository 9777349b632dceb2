"""
What nobody asks for and must be done all the same, every few minutes.

Activities are closed when Apple has closed their cards, ends are said again, and channels that no activity needs are
deleted: Apple keeps 10,000 of them for an app in each environment, whether anybody listens or not.
"""

from collections.abc import Callable
from dataclasses import replace

from lockstep.activities import Activities
from lockstep.apns import Environment, Rejected
from lockstep.aws_faults import AWS_FAULTS
from lockstep.channel_items import ChannelItems, MadeChannel
from lockstep.channels import Storage
from lockstep.channels_api import ChannelRefused, ChannelsApi
from lockstep.closing import ACTIVE_S, look_at_s
from lockstep.delivery import Delivery
from lockstep.json_values import JsonObject
from lockstep.queues import DeliveryQueue, PublishQueue
from lockstep.row import Row
from lockstep.telemetry import Count, Telemetry

# A channel is noted before its row knows it, and Apple's list may be a moment old.
_SETTLED_S = 600

# A channel of somebody else's is deleted only if it was there so long ago already.
_SEEN_AGAIN_S = 3600

# A message of the delivery queue that goes ahead of what it is about.
_AHEAD_S = 5

# A publish that is older than this is dated as of then; one of over eight hours would be refused.
_LATE_MAX_S = 3600


class Sweep:
    """
    One look at everything. Two at once do no harm.

    Args:
        sole_owner: Whether every channel of the app is this stack's, so that others are left over and may go.
    """

    def __init__(
        self,
        activities: Activities,
        made_channels: ChannelItems,
        api: ChannelsApi,
        publish_queue: PublishQueue,
        delivery_queue: DeliveryQueue,
        telemetry: Telemetry,
        *,
        sole_owner: bool,
        now: Callable[[], float],
    ) -> None:
        self._activities = activities
        self._made_channels = made_channels
        self._api = api
        self._publish_queue = publish_queue
        self._delivery_queue = delivery_queue
        self._telemetry = telemetry
        self._sole_owner = sole_owner
        self._now = now

    def run(self, *, deadline_s: float) -> None:
        """
        Do what is due, until the deadline at most; what is left waits for the next time.

        Raises:
            ClientError, BotoCoreError, OSError: Something could not be read; what came before it is done.
        """
        for activity in self._activities.due_for_sweep(now_s=int(self._now())):
            if self._now() >= deadline_s:
                return
            try:
                self._look_at(activity)
            except AWS_FAULTS as error:
                self._telemetry.log.error("could not be swept", activity=activity, exc_info=error)
        for environment in Environment:
            try:
                self._channels(environment, deadline_s)
            except ChannelRefused as refused:
                if isinstance(refused.outcome, Rejected):
                    self._telemetry.rejected(refused.outcome.reason)
                self._telemetry.log.error(
                    "channels could not be swept", environment=environment.value, reason=str(refused)
                )

    # --- activities

    def _look_at(self, activity: str) -> None:
        row = self._activities.get(activity, now_s=int(self._now()))
        if row is None or not 0 < look_at_s(row) <= self._now():
            return
        if row.registers.running:
            self._close(row)
        else:
            self._repeat_end(row)

    def _close(self, row: Row) -> None:
        """End an activity when Apple has ended what its start put up. A publish like any other: a later start wins."""
        ends_at_s = max(look_at_s(row), int(self._now()) - _LATE_MAX_S)
        end: JsonObject = {"activity": row.activity, "published_at_ms": ends_at_s * 1000, "aps": {"event": "end"}}
        self._publish_queue.send(end)
        self._telemetry.count(Count.CLOSED)
        self._telemetry.log.info("closed after eight hours", activity=row.activity, hours=ACTIVE_S // 3600)

    def _repeat_end(self, row: Row) -> None:
        """Let the row owe its end once more. The message first: where it finds nothing to do, the next sweep tries again."""
        self._delivery_queue.send([(Delivery(row.activity), _AHEAD_S)])
        again = replace(row, revision=row.revision + 1, repeats=row.repeats + 1, writes=row.writes + 1)
        if self._activities.replace(row, again, now_s=int(self._now())) is None:
            self._telemetry.count(Count.ENDS_REPEATED)

    # --- channels

    def _channels(self, environment: Environment, deadline_s: float) -> None:
        made = {one.id: one for one in self._made_channels.made(environment)}
        there = self._api.every(environment)
        self._telemetry.channels(environment, len(there))
        rows = self._activities.get_many((one.activity for one in made.values()), now_s=int(self._now()))
        for one in made.values():
            if self._now() >= deadline_s:
                return
            row = rows.get(one.activity)
            if row is not None and _needs(row, one):
                self._say_again(row, one)
            elif self._now() - one.made_at_s > _SETTLED_S:
                self._delete(one)
        others = [channel for channel in there if channel not in made]
        self._telemetry.count(Count.CHANNELS_OF_OTHERS, len(others))
        if self._sole_owner:
            self._delete_left_over(environment, others, deadline_s)

    def _say_again(self, row: Row, one: MadeChannel) -> None:
        """On a channel that keeps nothing, who was away hears the state of now only if it is said again."""
        channel = row.channel(one.environment)
        if (
            row.registers.running
            and channel is not None
            and (channel.id, channel.storage) == (one.id, Storage.FREQUENT)
        ):
            again = Delivery.on_channels(row.activity, [one.environment], since_ms=int(self._now() * 1000))
            self._delivery_queue.send([(again, 0)])

    def _delete(self, one: MadeChannel) -> None:
        if self._api.delete(one.environment, one.id):
            self._telemetry.count(Count.CHANNELS_DELETED)
        self._made_channels.remove(one.environment, one.id)

    def _delete_left_over(self, environment: Environment, others: list[str], deadline_s: float) -> None:
        """Delete what nobody of this stack has noted: a channel that was made and whose answer was lost, say."""
        now_s = int(self._now())
        first_seen_s = self._made_channels.sightings(environment)
        for channel in others:
            if self._now() >= deadline_s:
                return
            if channel not in first_seen_s:
                self._made_channels.see(environment, channel, now_s=now_s)
            elif now_s - first_seen_s[channel] >= _SEEN_AGAIN_S:
                self._delete(MadeChannel(environment, channel, "", now_s))
                self._made_channels.forget_sighting(environment, channel)
        for channel in first_seen_s.keys() - set(others):
            self._made_channels.forget_sighting(environment, channel)


def _needs(row: Row, one: MadeChannel) -> bool:
    """Say whether an activity still speaks on a channel: while it runs, and until its end was said for the last time."""
    known = any(channel.id == one.id for channel in row.channels)
    return known and (row.registers.running or look_at_s(row) > 0)
