"""Every event in events/ by `sam local invoke` and every route by `sam local start-api`, and what they did."""

import json
import time
from collections import Counter
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lockstep.apns import Environment
from onebox import ROOT
from onebox.bridge import addresses
from onebox.expect import Failed, expect, wait
from onebox.lock_screen import CardState
from onebox.phone import Phone
from onebox.sam.cli import SamCli
from onebox.stack import Stack

from lockstep.channel_items import ChannelItems, MadeChannel  # isort: skip

EVENTS = ROOT / "events"
ORDER = "order-42"

_DEVICE = "/v1/devices/a-phone"
_TOKEN = {"token": "d4" * 40, "observed_at_ms": 1_800_000_000_000}
_REPORT = {"observed_at_ms": 1_800_000_000_000, "start_tokens": [{"attributes_type": "Order", "token": "c3" * 40}]}

# Method, path, body; the status of the answer, and how many tokens are stored then.
ROUTES: list[tuple[str, str, dict[str, Any] | None, int, int]] = [
    ("PUT", _DEVICE, _REPORT, 200, 1),
    ("PUT", f"{_DEVICE}/start-tokens/Order", {"token": "not hex"}, 422, 1),
    ("PUT", f"{_DEVICE}/start-tokens/Match%3A7", _TOKEN, 204, 2),
    ("PUT", f"{_DEVICE}/cards/card-1", {**_TOKEN, "activity": ORDER}, 204, 3),
    ("GET", f"/v1/activities/{ORDER}/channel?environment=sandbox", None, 404, 3),
    ("GET", f"/v1/activities/{ORDER}/channel", None, 422, 3),
    ("GET", f"/v1/activities/{ORDER}", None, 404, 3),
    ("DELETE", f"{_DEVICE}/cards/card-1?reason=lost", None, 422, 3),
    ("DELETE", f"{_DEVICE}/cards/card-1?reason=dismissed", None, 204, 2),
    ("DELETE", _DEVICE, None, 204, 0),
    ("PUT", _DEVICE, {}, 422, 0),
    ("DELETE", "/v1/me", None, 204, 0),
]

# Containers start when they are first needed.
_WITHIN_S = 60


class Check:
    """
    Two simulated iPhones, whose apps call `sam local start-api`; and the events, whose author they know nothing of.

    Attributes:
        played: The events that were played.
    """

    def __init__(self, stack: Stack, sam: SamCli) -> None:
        self._stack = stack
        self._sam = sam
        self.played: set[str] = set()

    def play(self) -> None:
        """
        Play everything.

        Raises:
            Failed: It went otherwise than it should.
            SamFailed: The SAM CLI failed.
        """
        self._push()
        self._explain()
        self._sweep()
        self._register()
        self._routes()
        there = {path.stem for path in EVENTS.glob("*.json")}
        expect(there == self.played, f"every event was played: {there ^ self.played}")

    # --- push

    def _push(self) -> None:
        phones = [self._stack.phones.of(user) for user in ("ana", "ben")]
        self._settled()
        _tell("sam local start-api", "two phones register")
        expect(self._kept("token") == 2, "their start tokens are stored")

        self._published("publish-start", phones, accepted=2, minutes=30)
        self._settled()
        kept = {item["activity"]["S"] for item in self._stack.aws.items(self._activities)}
        wanted = {ORDER, "user#ana", "user#ben", f"lease#{ORDER}"}
        expect(kept == wanted, "the row is there, a note for each user it names, and whose lease it was")
        expect(self._kept("card") == 2, "their cards and update tokens are stored")
        self._published("publish-update", phones, accepted=2, minutes=7)
        expect(all(phone.history[-1].rang for phone in phones), "the alert rings")
        self._published("publish-sns", phones, accepted=2, minutes=7)
        self._published("publish-eventbridge", phones, accepted=2, minutes=7)
        self._published("delivery", phones, accepted=0, minutes=7)
        self._published("publish-refused", phones, accepted=0, minutes=7)
        [letter] = self._stack.queues.look("PublishDeadLetterQueue")
        expect("content-state" in letter.attributes["reason"], "it is dead-lettered with its reason")
        self._published("publish-end", phones, accepted=2, minutes=0)
        for phone in phones:
            card = phone.card(ORDER)
            expect(card is not None and card.state(time.time()) is CardState.ENDED, f"{phone.name}'s card ended")
            expect(len(phone.starts(ORDER)) == 1, f"{phone.name}'s phone has one card")
            expect(not phone.refusals, f"the API takes all that {phone.name}'s phone says: {phone.refusals}")
        expect(not self._stack.queues.count("DeliveryDeadLetterQueue"), "no delivery failed")

    def _published(self, name: str, phones: list[Phone], *, accepted: int, minutes: int) -> None:
        before = len(self._stack.apns.pushes)
        answer = self._play(name)
        expect(answer == {"batchItemFailures": []}, f"{name} is done with: {answer}")
        shown = f"{len(phones)} phones show {minutes} minutes after {name}"
        wait(shown, lambda: all((phone.shows(ORDER) or {}).get("minutes") == minutes for phone in phones), within_s=10)
        answered = Counter(push.status for push in self._stack.apns.pushes[before:])
        expect(
            answered == ({200: accepted} if accepted else {}), f"Apple takes {accepted} pushes of {name}: {answered}"
        )
        _tell(f"events/{name}.json", f"{accepted} pushes, the phones show {minutes} minutes")

    # --- explain

    def _explain(self) -> None:
        answer = self._play("explain")
        expect(answer["statusCode"] == 200, f"explain is answered 200: {answer}")
        [sentence, *_] = json.loads(answer["body"])["verdict"]
        expect(sentence.startswith("It ended"), f"it says that the order ended: {sentence}")
        _tell("events/explain.json", sentence)

    # --- sweep

    def _sweep(self) -> None:
        left_over = self._stack.apns.channels.create(Environment.SANDBOX, 1)
        self._note(str(left_over))
        answer = self._play("sweep")
        expect(answer is None, f"sweep is done: {answer}")
        expect(not self._stack.apns.channels.every(Environment.SANDBOX), "it deletes a channel that nobody needs")
        _tell("events/sweep.json", "a channel is deleted")

    def _note(self, channel: str) -> None:
        """Note a channel as one that the stack made long ago for something that is gone."""
        made = ChannelItems(self._stack.aws.dynamodb, self._activities)
        made.put(MadeChannel(Environment.SANDBOX, channel, "gone", made_at_s=0))

    # --- register

    def _register(self) -> None:
        self._stack.phones.clear()
        self._stack.aws.empty()
        queued = self._queued
        for name, status, tokens, deliveries in (
            ("report", 200, 1, 0),
            ("channel", 404, 1, 0),
            ("start-token", 204, 1, 0),
            ("card", 204, 2, 1),
            ("remove-card", 204, 1, 0),
            ("sign-out", 204, 0, 1),
            ("forget-me", 204, 0, 1),
        ):
            before = queued()
            answer = self._play(f"register-{name}")
            expect(answer["statusCode"] == status, f"register-{name} is answered {status}: {answer}")
            expect(self._kept("token") == tokens, f"{tokens} tokens are stored after register-{name}")
            expect(queued() - before == deliveries, f"register-{name} queues {deliveries}: {queued() - before}")
            _tell(f"events/register-{name}.json", f"{status}, {tokens} tokens stored")

    # --- routes

    def _routes(self) -> None:
        self._stack.aws.empty()
        with self._sam.serving("start-api", "start-api", self._stack.environments("carl")) as url:
            for method, path, body, status, tokens in ROUTES:
                answered, text = _ask(url, method, path, body)
                expect(answered == status, f"{method} {path} is answered {status}: {answered} {text}")
                expect(self._kept("token") == tokens, f"{tokens} tokens are stored after {method} {path}")
                owners = {item["owner"]["S"] for item in self._tokens() if "owner" in item}
                expect(owners <= {"carl"}, f"LOCAL_USER is who calls: {owners}")
                _tell(f"{method} {path}", f"{status}, {tokens} tokens stored")
        played = {(method, len(path.partition("?")[0].split("/"))) for method, path, *_ in ROUTES}
        there = {(route.method, len(route.path.split("/"))) for route in self._stack.template.routes()}
        expect(there <= played, f"every route was asked: {there - played}")

    # --- what all of them need

    def _play(self, name: str) -> Any:
        self.played.add(name)
        functions = {"register": "RegisterFunction", "sweep": "SweepFunction", "explain": "ExplainFunction"}
        function = functions.get(name.partition("-")[0], "PushFunction")
        return self._sam.invoke(function, EVENTS / f"{name}.json", self._stack.environments())

    def _settled(self) -> None:
        wait("the phones pass on what they know", lambda: self._stack.phones.are_idle, within_s=_WITHIN_S)

    @property
    def _activities(self) -> str:
        return self._stack.aws.tables["ActivitiesTable"]

    def _tokens(self) -> list[dict[str, Any]]:
        return self._stack.aws.items(self._stack.aws.tables["TokensTable"])

    def _kept(self, attribute: str) -> int:
        return sum(attribute in item for item in self._tokens())

    def _queued(self) -> int:
        return self._stack.queues.count("DeliveryQueue")


def check(local: Path, sam: SamCli) -> int:
    """Play every event and route in containers; returns 0 if they did what they should."""
    logs = local / "logs"
    with Stack(local, polling=False, log_folder=logs, sam=sam, also_on=addresses()) as stack:
        try:
            Check(stack, sam).play()
        except Failed as failure:
            print(f"FAILED: {failure}\nWhat the functions logged is in {logs}.")
            return 1
    print("Every event and every route does in the Lambda runtime what it should.")
    return 0


def _ask(url: str, method: str, path: str, body: Mapping[str, Any] | None) -> tuple[int, str]:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=_WITHIN_S)
    text = None if body is None else json.dumps(body)
    try:
        connection.request(method, path, text, {"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def _tell(what: str, done: str) -> None:
    print(f"{what:55} {done}", flush=True)
