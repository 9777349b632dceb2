"""What goes wrong in a soak beside Apple's faults, and when."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.soak.apple import Apple
from bench.soak.throttling import Throttling
from onebox.signing_key import LocalSigningKey
from onebox.stack import Stack

# Of ten minutes: from the second to the fourth, in the middle, and at seven minutes.
_THROTTLED, _ROTATED, _RESTARTED = (0.2, 0.4), 0.5, 0.7

# For so long Apple takes both keys, and so long it is away: of ten minutes, 5 and 8 seconds.
_BOTH_KEYS, _AWAY = 5 / 600, 8 / 600


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that went wrong, in seconds from the beginning."""

    name: str
    begin_s: float
    end_s: float


class Troubles:
    """
    Brings them about, one after the other.

    Attributes:
        met: Those so far.
        cut_ms: When connections to Apple were cut, in Unix milliseconds.
    """

    def __init__(self, stack: Stack, apple: Apple, throttling: Throttling, duration_s: float) -> None:
        self.met: list[Trouble] = []
        self.cut_ms: list[int] = []
        self._stack = stack
        self._apple = apple
        self._throttling = throttling
        self._duration_s = duration_s
        self._began_s = 0.0

    def run(self, over: threading.Event) -> None:
        """Wait for the time of each; `over` ends the one that is on."""
        self._began_s = time.monotonic()
        self._while(over, "DynamoDB throttles", _THROTTLED, self._throttle, self._throttle_no_more)
        rotated = (_ROTATED, _ROTATED + _BOTH_KEYS)
        self._while(over, "the key is rotated", rotated, self._put_new_key, self._revoke_old_key)
        restarted = (_RESTARTED, _RESTARTED + _AWAY)
        self._while(over, "Apple restarts", restarted, self._stop_apple, self._apple.start)

    def _while(
        self,
        over: threading.Event,
        name: str,
        at: Sequence[float],
        begin: Callable[[], None],
        end: Callable[[], None],
    ) -> None:
        begin_s, end_s = (share * self._duration_s for share in at)
        if over.wait(max(0.0, self._began_s + begin_s - time.monotonic())):
            return
        began_s = time.monotonic()
        begin()
        over.wait(max(0.0, self._began_s + end_s - time.monotonic()))
        end()
        self.met.append(Trouble(name, began_s - self._began_s, time.monotonic() - self._began_s))

    def _throttle(self) -> None:
        self._throttling.on = True

    def _throttle_no_more(self) -> None:
        self._throttling.on = False

    def _put_new_key(self) -> None:
        key = LocalSigningKey.fresh(key_id="KEY7654321")
        [arn] = self._stack.aws.secret_arns.values()
        self._stack.apns.keys.add(key.key_id, key.public_pem)
        self._stack.aws.secrets.put_secret_value(SecretId=arn, SecretString=key.secret())

    def _revoke_old_key(self) -> None:
        self._stack.apns.keys.revoke(self._stack.signing_key.key_id)

    def _stop_apple(self) -> None:
        self._apple.stop()
        self.cut_ms.append(int(time.time() * 1000))
