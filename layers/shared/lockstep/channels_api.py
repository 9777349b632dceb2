"""
Apple's two interfaces for channels: their management, and what is said on them. Single requests, by httpx.

"Sending channel management requests to APNs" and "Sending broadcast push notification requests to APNs".
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lockstep.apns import Accepted, Environment, Outcome, Rejected, Unanswered
from lockstep.channels import Broadcast, Storage
from lockstep.errors import LockstepError
from lockstep.json_values import Json, compact, parse
from lockstep.reasons import Remedy
from lockstep.single_requests import SingleRequests

if TYPE_CHECKING:
    import httpx


class ChannelRefused(LockstepError):
    """
    Apple did not do what was asked of a channel.

    Attributes:
        outcome: What it answered, or that it did not.
    """

    def __init__(self, outcome: Rejected | Unanswered) -> None:
        self.outcome = outcome
        super().__init__(
            f"{outcome.status} {outcome.reason}" if isinstance(outcome, Rejected) else f"no answer: {outcome.why}"
        )


class ChannelsApi:
    """
    Channels of one app; not for use by two threads.

    Args:
        urls: Of each environment's host for their management, without a path.
        bundle_id: Without `.push-type.liveactivity`: here the bare one is wanted.
    """

    def __init__(self, urls: Mapping[Environment, str], *, bundle_id: str, requests: SingleRequests) -> None:
        self._urls = urls
        self._bundle_id = bundle_id
        self._requests = requests

    def create(self, environment: Environment, storage: Storage) -> str:
        """
        Make a channel; returns its id. Not idempotent: where no answer comes, there may be one that nobody knows.

        Raises:
            ChannelRefused: There is none, as far as one can know.
        """
        policy: Json = {"message-storage-policy": storage.message_storage_policy, "push-type": "LiveActivity"}
        return self._manage(environment, "POST", "channels", body=compact(policy)).headers["apns-channel-id"]

    def delete(self, environment: Environment, channel: str) -> bool:
        """
        Delete a channel, for good; says whether it was there.

        Raises:
            ChannelRefused: It may still be there.
        """
        try:
            self._manage(environment, "DELETE", "channels", channel=channel)
        except ChannelRefused as refused:
            if refused.outcome.remedy is Remedy.FORGET_CHANNEL:
                return False
            raise
        return True

    def every(self, environment: Environment) -> list[str]:
        """
        List the app's channels in an environment, whoever made them.

        Raises:
            ChannelRefused: Apple did not say.
        """
        try:
            listed = parse(self._manage(environment, "GET", "all-channels").text)
            channels = listed.get("channels") if isinstance(listed, dict) else None
        except ValueError:
            channels = None
        if not isinstance(channels, list):
            raise ChannelRefused(Unanswered(maybe_taken=True, why="a list that is none"))
        return [str(channel) for channel in channels]

    def _manage(
        self, environment: Environment, method: str, path: str, *, channel: str = "", body: str = ""
    ) -> "httpx.Response":
        url = f"{self._urls[environment]}/1/apps/{self._bundle_id}/{path}"
        outcome = self._requests.ask(url, method, {"apns-channel-id": channel} if channel else {}, body.encode())
        if isinstance(outcome, Rejected | Unanswered):
            raise ChannelRefused(outcome)
        return outcome


class Broadcasts:
    """
    What is said on channels of one app; not for use by two threads.

    Args:
        urls: Of each environment's host for pushes, without a path.
        bundle_id: As above.
    """

    def __init__(self, urls: Mapping[Environment, str], *, bundle_id: str, requests: SingleRequests) -> None:
        self._urls = urls
        self._bundle_id = bundle_id
        self._requests = requests

    def send(self, broadcast: Broadcast) -> Outcome:
        """Send one push to every subscriber of a channel; never raises for it."""
        channel = broadcast.channel
        headers = {
            "apns-channel-id": channel.id,
            "apns-push-type": "liveactivity",
            "apns-priority": str(broadcast.priority),
            "apns-expiration": str(broadcast.expiration_s),
        }
        url = f"{self._urls[channel.environment]}/4/broadcasts/apps/{self._bundle_id}"
        outcome = self._requests.ask(url, "POST", headers, broadcast.body)
        if isinstance(outcome, Unanswered):
            # The connection may have died long ago. To hear a state twice is harmless.
            outcome = self._requests.ask(url, "POST", headers, broadcast.body)
        return outcome if isinstance(outcome, Rejected | Unanswered) else Accepted()
