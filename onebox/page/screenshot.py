"""
`python -m onebox.page.screenshot docs/page.png`: the page while a few things happen, as the README shows it.

Debian's fonts-inter, where it is installed, comes nearest to an iPhone's letters.
"""

import json
import sys
import tempfile
import time
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from onebox.expect import Failed, wait
from onebox.http_event import Request
from onebox.lock_screen import CardState, Verdict
from onebox.page.browser import browser, chromium
from onebox.phone import ATTRIBUTES_TYPE
from onebox.stack import Stack

ORDER, FLIGHT, RIDE = "order-42", "flight-9", "ride-7"
_SIZE = (1440, 990)
_WITHIN_S = 15

# So many colours of plain areas and letters are kept.
_PLAIN = 40

# Between two publishes, so that each is sent by itself.
_BEAT_S = 1.2


class Scene:
    """Puts something on every lock screen: running, stale, ended, ringing, away; and an error of Apple's in between."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def play(self) -> None:
        """
        Play it.

        Raises:
            Failed: It went otherwise.
        """
        self._do("/phones", {"user": "ana", "name": "ana"})
        self._do("/phones", {"user": "ben", "name": "ben", "os_version": "26.1"})
        self._do("/phones", {"user": "carl", "name": "carl", "os_version": "17.5", "environment": "sandbox"})
        self._wait("the phones register", lambda: self._stack.phones.are_idle)
        soon_s = int(time.time()) + 2
        self._start(
            FLIGHT, ["ana"], {"flight": "LH 441"}, {"status": "Boarding", "gate": "B22"}, **{"stale-date": soon_s}
        )
        self._start(RIDE, ["ben"], {"title": "Airport ride"}, {"status": "Arrived", "driver": "Emil"})
        self._publish(RIDE, {"event": "end", "dismissal-date": soon_s + 3600})
        self._start(ORDER, ["ana", "ben", "carl"], {"shop": "Pizzeria Uno"}, {"stage": "taken", "minutes": 40})
        for state in ({"stage": "baking", "minutes": 25}, {"stage": "on its way", "driver": "Dora", "minutes": 12}):
            self._publish(ORDER, {"event": "update", "content-state": state})
            time.sleep(_BEAT_S)
        self._do("/phones", {"phone": "carl", "do": "offline"})
        self._do("/faults", [{"kind": "answer", "status": 503, "reason": "ServiceUnavailable"}])
        last = {"stage": "on its way", "driver": "Dora", "minutes": 7}
        alert = {"title": "Nearly there", "body": "7 minutes"}
        self._publish(ORDER, {"event": "update", "content-state": last, "alert": alert}, phones=["ana", "ben"])
        self._wait("Apple keeps it for the phone that is away", lambda: _last(self._stack, "carl") is Verdict.STORED)
        flight = self._stack.phones["ana"].card(FLIGHT)
        assert flight is not None
        self._wait("the flight is stale", lambda: flight.state(time.time()) is CardState.STALE)

    def _start(self, activity: str, users: list[str], attributes: Mapping[str, str], state: Any, **more: Any) -> None:
        aps = {
            "event": "start",
            "attributes-type": ATTRIBUTES_TYPE,
            "attributes": attributes,
            "content-state": state,
            "alert": {"title": "Here we go"},
            **more,
        }
        self._do("/publishes", {"activity": activity, "to": {"users": users}, "aps": aps})
        self._shown(activity, state, users)
        self._wait("the phones pass their tokens on", lambda: self._stack.phones.are_idle)

    def _publish(self, activity: str, aps: Mapping[str, Any], phones: list[str] | None = None) -> None:
        self._do("/publishes", {"activity": activity, "aps": aps})
        state = aps.get("content-state")
        if state is not None:
            self._shown(activity, state, phones or [phone.name for phone in self._stack.phones.all()])

    def _shown(self, activity: str, state: Any, phones: list[str]) -> None:
        every = [self._stack.phones[name] for name in phones]
        self._wait(f"{activity} shows", lambda: all(phone.shows(activity) == state for phone in every))

    def _do(self, path: str, body: Any) -> None:
        answer = self._stack.control.answer(Request("POST", path, [], json.dumps(body).encode()))
        if answer.status != 200:
            raise Failed(answer.body.decode())

    def _wait(self, what: str, holds: Any) -> None:
        wait(what, holds, within_s=_WITHIN_S)


def _last(stack: Stack, phone: str) -> Verdict:
    return stack.phones[phone].history[-1].verdict


def main(arguments: list[str]) -> int:
    """Take the screenshot; returns the exit status."""
    if len(arguments) not in (1, 2) or arguments[1:] not in ([], ["light"], ["dark"]):
        print("python -m onebox.page.screenshot FILE [light|dark]", file=sys.stderr)
        return 2
    path = chromium()
    if path is None:
        print("there is no Chromium here (Debian's package: chromium)", file=sys.stderr)
        return 1
    width, height = _SIZE
    dark = arguments[1:] == ["dark"]
    with tempfile.TemporaryDirectory() as local, Stack(Path(local)) as stack, browser(path) as chrome:
        Scene(stack).play()
        page = chrome.new_page(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        page.goto(stack.page.url)
        page.wait_for_selector(".banner:visible")
        taken = page.screenshot()
    in_few_colours(Image.open(BytesIO(taken)).convert("RGB")).save(arguments[0], optimize=True)
    return 0


def in_few_colours(image: Image.Image) -> Image.Image:
    """Return an image in 256 colours, for the wallpapers' gradients are most of it: those of its plain areas as they are."""
    counted = sorted(image.getcolors(image.width * image.height) or [], reverse=True)
    plain = [part for _, colour in counted[:_PLAIN] if isinstance(colour, tuple) for part in colour]
    others = image.quantize(256 - _PLAIN, method=Image.Quantize.MAXCOVERAGE).getpalette() or []
    colours = Image.new("P", (1, 1))
    colours.putpalette(plain + others)
    return image.quantize(palette=colours, dither=Image.Dither.FLOYDSTEINBERG)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
