"""The simulated iPhones of a stack."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from lockstep.apns import Environment
from lockstep.schemas import Schemas
from onebox.apns.received import ReceivedPush
from onebox.apns.simulator import ApnsSimulator
from onebox.errands import Errands
from onebox.hardware import Hardware
from onebox.lock_screen import ANYTHING
from onebox.phone import ATTRIBUTES_TYPE, Phone
from onebox.sighting import stream_of


class Phones:
    """
    Makes phones and keeps them.

    Args:
        token: Returns the JWT of a user.
        schemas: What the app's structs can decode.
    """

    def __init__(
        self,
        apns: ApnsSimulator,
        *,
        api: str,
        token: Callable[[str], str],
        schemas: Schemas = ANYTHING,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._apns = apns
        self._api = api
        self._token = token
        self._schemas = schemas
        self._now = now
        self._errands = Errands()
        self._lock = threading.Lock()
        self._phones: dict[str, Phone] = {}
        self._made = 0

    def __getitem__(self, name: str) -> Phone:
        """Return the phone of this name."""
        return self._phones[name]

    def all(self) -> list[Phone]:
        """Return all phones, in the order they were made."""
        with self._lock:
            return list(self._phones.values())

    def make(
        self,
        name: str | None = None,
        *,
        environment: Environment = Environment.PRODUCTION,
        os_version: str = "18.2",
        attributes_types: Sequence[str] = (ATTRIBUTES_TYPE,),
        follows: Sequence[str] = (),
        self_start: bool = False,
    ) -> Phone:
        """
        Make a phone that has the app, which has not been opened yet.

        Raises:
            ValueError: There is one of this name.
        """
        with self._lock:
            self._made += 1
            hardware = Hardware(name or f"phone-{self._made}", environment, os_version)
            if hardware.name in self._phones:
                raise ValueError(f"there is a phone called {hardware.name}")
            phone = self._phones[hardware.name] = Phone(
                hardware,
                apns=self._apns,
                api=self._api,
                token=self._token,
                errands=self._errands,
                attributes_types=attributes_types,
                follows=follows,
                self_start=self_start,
                schemas=self._schemas,
                now=self._now,
            )
            return phone

    def of(self, user: str, name: str | None = None, **settings: Any) -> Phone:
        """Make a phone, sign this user in and open the app."""
        phone = self.make(name or user, **settings)
        phone.launch(user)
        return phone

    def verdict(self, push: ReceivedPush) -> str | None:
        """Return what became of a push in the end: one that APNs kept for a while is decided late."""
        for phone in self.all():
            late = phone.ios.late_verdicts.get(stream_of(push))
            if late is not None:
                return late
        return push.verdict

    @property
    def are_idle(self) -> bool:
        """Whether no phone's app has anything to do."""
        return self._errands.are_done

    def wait(self, timeout_s: float = 10) -> None:
        """
        Wait until the apps have done what they have to do; what waits for the network doesn't count.

        Raises:
            TimeoutError: They were not done in time.
        """
        self._errands.wait(timeout_s)

    def clear(self) -> None:
        """Throw all phones away, and what their apps were about to do."""
        with self._lock:
            phones = list(self._phones.values())
            self._phones.clear()
        for phone in phones:
            phone.quit()
        self._errands.wait(10)

    def stop(self) -> None:
        """Stop the phones' threads."""
        self._errands.stop()
