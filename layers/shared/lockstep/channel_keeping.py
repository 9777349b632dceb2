"""An activity's channels: made when its phones need them, told what is to be said, and given up with their run."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from lockstep.activities import Activities
from lockstep.apns import Accepted, Environment, Outcome, Rejected, Unanswered
from lockstep.aws_faults import AWS_FAULTS
from lockstep.channel_items import ChannelItems, MadeChannel
from lockstep.channels import Channel, Storage, takes_channels
from lockstep.channels_api import Broadcasts, ChannelRefused, ChannelsApi
from lockstep.commit import Contended
from lockstep.delivery import Audience, Delivery, subscribed_in_s
from lockstep.followers import Followers
from lockstep.jobs import Job
from lockstep.phones import Follower
from lockstep.plan import Plan
from lockstep.reasons import Remedy
from lockstep.row import Row
from lockstep.starting import Starter
from lockstep.telemetry import Telemetry
from lockstep.tokens import Tokens

# Each conflict means that another writer got through.
_TRIES = 20


class ChannelKeeper:
    """
    Looks after the channels of the activities that are delivered.

    Args:
        page_phones: So many followers at most are asked which environments they are of.
    """

    def __init__(
        self,
        activities: Activities,
        tokens: Tokens,
        followers: Followers,
        made_channels: ChannelItems,
        starter: Starter,
        api: ChannelsApi,
        broadcasts: Broadcasts,
        telemetry: Telemetry,
        *,
        page_phones: int,
        default_environment: Environment,
        now: Callable[[], float],
    ) -> None:
        self._activities = activities
        self._tokens = tokens
        self._followers = followers
        self._made_channels = made_channels
        self._starter = starter
        self._api = api
        self._broadcasts = broadcasts
        self._telemetry = telemetry
        self._page_phones = page_phones
        self._default_environment = default_environment
        self._now = now

    def attend(self, jobs: Iterable[Job], *, deadline_s: float) -> None:
        """
        Have the channels that the jobs' phones need, and say on all what is to be said there; before their pushes.

        Args:
            deadline_s: Unix seconds; what is not said by then is left to a retry.
        """
        for job in jobs:
            try:
                row = self._row_with_channels(job.plan) if self._now() < deadline_s else job.plan.row
                if row != job.plan.row:
                    job.plan = job.plan.of_row(row)
                    job.settlement = job.settlement.of_plan(job.plan)
                self._broadcast(job, deadline_s)
            except (*AWS_FAULTS, Contended) as error:
                job.error = error

    # --- making them

    def _row_with_channels(self, plan: Plan) -> Row:
        """
        Make the channels that a delivery's phones need and that are not there yet.

        One that Apple does not give is not in the row: those phones are served by their tokens.
        """
        row, storage = plan.row, plan.row.storage
        if storage is None:
            return row
        for environment in self._lacking(plan):
            try:
                channel = Channel(environment, self._api.create(environment, storage), row.run, storage)
            except ChannelRefused as refused:
                self._note("a channel could not be made", row, environment, refused)
                continue
            # Noted before it is used: what nobody uses is deleted by the sweep.
            self._made_channels.put(MadeChannel(environment, channel.id, row.activity, int(self._now())))
            row = self._adopted(row, channel)
        return row

    def _lacking(self, plan: Plan) -> list[Environment]:
        row, delivery = plan.row, plan.delivery
        if not row.registers.running or all(map(row.channel, Environment)):
            return []
        if not row.names_somebody:
            # Whose apps will subscribe, nobody knows. What Apple refused is not asked for with each update.
            first = delivery.begins and (not row.channels or (delivery.from_revision or 0) < row.run_revision)
            return [one for one in Environment if first and not row.channel(one)]
        if delivery.audience is Audience.CARDS or not plan.may_start:
            return []
        followers: list[Follower] = []
        if row.audience is not None and delivery.phones is None:
            followers, _ = self._followers.page(row.audience, now_s=int(self._now()), limit=self._page_phones)
        meant = self._starter.meant(row, delivery, followers)
        phones = self._tokens.phones(token.phone for token in meant).values()
        needed = {one.environment or self._default_environment for one in phones if takes_channels(one.os_version)}
        return [one for one in Environment if one in needed and not row.channel(one)]

    def _adopted(self, row: Row, channel: Channel) -> Row:
        """Give the row a channel; where somebody was quicker, theirs counts, and ours goes."""
        stored: Row | None = row
        for _ in range(_TRIES):
            if stored is None or stored.run != channel.run or stored.channel(channel.environment) is not None:
                self._delete(row, channel)
                break
            after = replace(stored, channels=(*stored.channels, channel), writes=stored.writes + 1)
            conflict = self._activities.replace(stored, after, now_s=int(self._now()))
            if conflict is None:
                stored = after
                break
            stored = conflict.row
        else:
            raise Contended(row.activity)
        if stored is None or stored.run != row.run:
            return row
        # What else has come into the row meanwhile has no stamp of ours.
        return replace(row, channels=stored.channels)

    def _delete(self, row: Row, channel: Channel) -> None:
        try:
            self._api.delete(channel.environment, channel.id)
        except ChannelRefused as refused:
            self._note("a channel could not be deleted yet", row, channel.environment, refused)
            return
        self._made_channels.remove(channel.environment, channel.id)

    # --- speaking on them

    def _broadcast(self, job: Job, deadline_s: float) -> None:
        """Say on the channels what the job has to say there, and give up those that are over."""
        over: list[str] = []
        for broadcast in job.plan.broadcasts():
            channel = broadcast.channel
            outcome: Outcome = Unanswered(maybe_taken=False, why="there was no time left")
            if self._now() < deadline_s:
                if job.settlement.tally is not None:
                    job.settlement.tally.sets_out(int(self._now() * 1000))
                outcome = self._broadcasts.send(broadcast)
            job.settlement.settle_broadcast(channel.environment, outcome)
            told = isinstance(outcome, Accepted) and channel.run != job.plan.row.run
            if told or outcome.remedy is Remedy.FORGET_CHANNEL:
                over.append(channel.id)
        if over:
            self._give_up(job.plan.row.activity, over)

    def said_again(self, row: Row) -> list[tuple[Delivery, int]]:
        """
        Say a row's state once more to those who were just started on a channel that keeps nothing.

        What is said while a phone is subscribing passes it by.
        """
        keeping_nothing = [
            one.environment for one in row.channels if one.run == row.run and one.storage is Storage.FREQUENT
        ]
        if not keeping_nothing:
            return []
        now_ms = int(self._now() * 1000)
        return [(Delivery.on_channels(row.activity, keeping_nothing, since_ms=now_ms), subscribed_in_s(now_ms))]

    def _give_up(self, activity: str, channels: Iterable[str]) -> None:
        """Let the row know them no longer; the sweep deletes what no row knows."""
        over = set(channels)
        row = self._activities.get(activity, now_s=int(self._now()))
        for _ in range(_TRIES):
            if row is None or not over & {one.id for one in row.channels}:
                return
            kept = tuple(one for one in row.channels if one.id not in over)
            after = replace(row, channels=kept, writes=row.writes + 1)
            conflict = self._activities.replace(row, after, now_s=int(self._now()))
            if conflict is None:
                return
            row = conflict.row
        raise Contended(activity)

    def _note(self, what: str, row: Row, environment: Environment, refused: ChannelRefused) -> None:
        if isinstance(refused.outcome, Rejected):
            self._telemetry.rejected(refused.outcome.reason)
        self._telemetry.log.error(what, activity=row.activity, environment=environment.value, reason=str(refused))
