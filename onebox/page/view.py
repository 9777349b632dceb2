"""All that the page shows, as values by name: what has changed since is what a browser must hear."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from onebox.apns.simulator import ApnsSimulator
from onebox.page.chronicle import Chronicle
from onebox.page.screens import screen
from onebox.page.ways import ways
from onebox.phones import Phones

# The page draws no more phones than that, and looks at no more pushes, the latest: it is drawn ten times a second.
_PHONES_MAX = 24
_PUSHES_MAX = 300


class View:
    """
    Looks at the stack.

    Args:
        commits_seen: Whether what push prints comes here, so that it is known when a publish was committed.
    """

    def __init__(
        self,
        phones: Phones,
        apns: ApnsSimulator,
        chronicle: Chronicle,
        *,
        commits_seen: bool,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._phones = phones
        self._apns = apns
        self._chronicle = chronicle
        self._commits_seen = commits_seen
        self._now = now

    def now(self) -> dict[str, str]:
        """Return every value as JSON, under a name of the form "kind/which"."""
        phones = self._phones.all()
        shown: dict[str, Any] = {
            "about/stack": {"commits_seen": self._commits_seen, "phones_hidden": max(0, len(phones) - _PHONES_MAX)},
            "about/faults": [fault.to_json() for fault in self._apns.faults.pending()],
        }
        now_s = self._now()
        for place, phone in enumerate(phones[:_PHONES_MAX]):
            shown[f"phone/{phone.name}"] = {"place": place} | screen(phone, now_s)
        received = self._apns.received()
        pushes = received[-_PUSHES_MAX:]
        # Of a publish from before them, nobody knows here what became of it.
        since_ms = pushes[0].at_ms if len(received) > len(pushes) else 0
        for name, way in ways(self._chronicle.published(), pushes, self._phones).items():
            if way["pushes"] or way["at_ms"] >= since_ms:
                shown[f"way/{name}"] = way
        for deed in self._chronicle.deeds():
            shown[f"deed/{deed.number}"] = asdict(deed)
        return {name: _as_json(value) for name, value in shown.items()}


def _as_json(value: Any) -> str:
    """Write what a browser can read: Python takes numbers that are none for JSON (NaN), and a message may hold them."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(json.loads(json.dumps(value), parse_constant=str))
