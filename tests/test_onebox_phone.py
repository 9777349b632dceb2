"""Simulated iPhones: what they show, what their app says to the API, and what happens to them."""

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from lockstep.apns import Environment
from onebox.apns.simulator import ApnsSimulator
from onebox.http_event import Request, Response
from onebox.http_server import HttpServer
from onebox.lock_screen import CardState, Verdict
from onebox.phone import ATTRIBUTES_TYPE, Phone
from onebox.phones import Phones
from tests.apns_simulator_client import Answer, RawClient, simulator

ORDER = "order-42"
RUN = 7


class Api:
    """Takes what apps say, and answers what a test wants."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Any]] = []
        self.activities: list[dict[str, Any]] = []
        self.statuses: list[int] = []
        self._server = HttpServer(self._answer, name="api")
        self.url = self._server.url
        self.start, self.stop = self._server.start, self._server.stop

    def of(self, method: str, part: str) -> list[Any]:
        return [body for line, body in self.said if line.startswith(method) and part in line]

    def _answer(self, request: Request) -> Response:
        self.said.append((f"{request.method} {request.target}", json.loads(request.body or b"null")))
        status = self.statuses.pop(0) if self.statuses else 200
        return Response(status, [], json.dumps({"activities": self.activities}).encode())


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api()
    api.start()
    yield api
    api.stop()


@pytest.fixture(scope="module")
def apple(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApnsSimulator]:
    with simulator(tmp_path_factory.mktemp("apns")) as apple:
        yield apple


@pytest.fixture
def sender(apple: ApnsSimulator) -> Iterator[RawClient]:
    apple.clear()
    with RawClient(apple.production_url, apple.ca_file) as client:
        yield client


@pytest.fixture
def phones(apple: ApnsSimulator, api: Api) -> Iterator[Phones]:
    phones = Phones(apple, api=api.url, token=lambda user: f"token of {user}")
    yield phones
    phones.stop()


@pytest.fixture
def phone(phones: Phones) -> Phone:
    phone = phones.of("ana")
    phones.wait()
    return phone


def start(sender: RawClient, phone: Phone, *, run: int = RUN, timestamp_s: int | None = None, **aps: Any) -> Answer:
    body = {
        "event": "start",
        "timestamp": timestamp_s or int(time.time()),
        "attributes-type": ATTRIBUTES_TYPE,
        "attributes": {"activity": ORDER, "run": run},
        "content-state": {"minutes": 30},
        "input-push-token": 1,
        "alert": {"title": "Taken"},
    }
    wanted = {name: value for name, value in (body | aps).items() if value is not None}
    return sender.push(phone.ios.start_tokens[ATTRIBUTES_TYPE], json.dumps({"aps": wanted}).encode())


def update(
    sender: RawClient, token: str, minutes: int, *, ahead_s: int = 1, expiration_s: int = 0, **aps: Any
) -> Answer:
    timestamp_s = int(time.time()) + ahead_s
    body = {"event": "update", "timestamp": timestamp_s, "content-state": {"minutes": minutes}} | aps
    return sender.push(token, json.dumps({"aps": body}).encode(), apns_expiration=str(expiration_s))


def started(sender: RawClient, phone: Phone, phones: Phones) -> str:
    """Start a card by push; returns its update token."""
    start(sender, phone)
    phones.wait()
    card = phone.card(ORDER)
    assert card is not None
    assert card.token is not None
    return card.token


def test_an_app_reports_its_phone_at_launch(phones: Phones, api: Api) -> None:
    phones.make("new", environment=Environment.SANDBOX, os_version="17.4", follows=["team-42"]).launch("ana")
    phones.wait()

    [truth] = api.of("PUT", "/v1/devices/")
    assert (truth["environment"], truth["os_version"], truth["follows"]) == ("sandbox", "17.4", ["team-42"])
    assert [one["attributes_type"] for one in truth["start_tokens"]] == [ATTRIBUTES_TYPE]
    assert truth["cards"] == []


@pytest.mark.parametrize(("os_version", "tokens"), [("17.1", 0), ("17.2", 1), ("18", 1)])
def test_start_tokens_come_with_ios_17_2(phones: Phones, api: Api, os_version: str, tokens: int) -> None:
    phones.make(os_version=os_version).launch("ana")
    phones.wait()

    assert len(api.of("PUT", "/v1/devices/")[0]["start_tokens"]) == tokens


def test_a_start_shows_a_card_and_rings(sender: RawClient, phone: Phone) -> None:
    start(sender, phone)

    assert phone.shows(ORDER) == {"minutes": 30}
    assert [(one.verdict, one.rang) for one in phone.history] == [(Verdict.APPLIED, True)]


def test_a_started_card_is_passed_on_and_then_its_token(
    sender: RawClient, phone: Phone, phones: Phones, api: Api
) -> None:
    token = started(sender, phone, phones)

    first, second = api.of("PUT", "/cards/")
    assert (first["activity"], first["run"], "token" in first) == (ORDER, RUN, False)
    assert second["token"] == token
    assert second["observed_at_ms"] > first["observed_at_ms"]


@pytest.mark.parametrize(("os_version", "asked", "tokens"), [("18.0", None, 0), ("18.0", 1, 1), ("17.6", None, 1)])
def test_from_ios_18_a_start_must_ask_for_a_token(
    sender: RawClient, phones: Phones, api: Api, os_version: str, asked: int | None, tokens: int
) -> None:
    phone = phones.of("ana", os_version=os_version)
    aps: dict[str, Any] = {"input-push-token": asked}

    start(sender, phone, **aps)
    phones.wait()

    assert len([body for body in api.of("PUT", "/cards/") if "token" in body]) == tokens


def test_a_start_without_alert_is_accepted_by_apple_and_ignored_by_the_phone(sender: RawClient, phone: Phone) -> None:
    answer = start(sender, phone, alert=None)

    assert answer.status == 200
    assert phone.shows(ORDER) is None
    assert [one.verdict for one in phone.history] == [Verdict.IGNORED_NO_ALERT]


def test_an_alert_rings_and_an_update_does_not(sender: RawClient, phone: Phone, phones: Phones) -> None:
    token = started(sender, phone, phones)

    update(sender, token, 7, ahead_s=1, alert={"body": "7 minutes"})
    update(sender, token, 6, ahead_s=2)

    assert [(one.event, one.rang) for one in phone.history] == [("start", True), ("update", True), ("update", False)]
    assert phone.shows(ORDER) == {"minutes": 6}


def test_of_two_cards_with_one_run_the_first_stays(sender: RawClient, phone: Phone, phones: Phones, api: Api) -> None:
    started(sender, phone, phones)

    started_again = start(sender, phone)
    phones.wait()

    assert started_again.status == 200
    assert [card.state(time.time()) for card in phone.cards] == [CardState.ACTIVE, CardState.DISCARDED]
    assert len(phone.starts(ORDER)) == 2
    assert len(api.of("PUT", "/cards/")) == 2


@pytest.mark.parametrize(("run", "states"), [(RUN + 1, ["discarded", "active"]), (RUN - 1, ["active", "discarded"])])
def test_of_two_cards_the_higher_run_wins(
    sender: RawClient, phone: Phone, phones: Phones, run: int, states: list[str]
) -> None:
    old = started(sender, phone, phones)

    start(sender, phone, run=run)
    phones.wait()

    assert [card.state(time.time()) for card in phone.cards] == states
    assert (update(sender, old, 7).status == 410) is (run > RUN)


def test_a_rotated_token_is_passed_on_and_the_old_one_is_dead(
    sender: RawClient, phone: Phone, phones: Phones, api: Api
) -> None:
    old = started(sender, phone, phones)

    phone.rotate(ORDER)
    phones.wait()

    new = api.of("PUT", "/cards/")[-1]["token"]
    assert new != old
    assert (update(sender, old, 7).status, update(sender, new, 6).status) == (410, 200)


def test_a_rotated_start_token_is_passed_on(phone: Phone, phones: Phones, api: Api) -> None:
    before = phone.ios.start_tokens[ATTRIBUTES_TYPE]

    phone.rotate_start_token()
    phones.wait()

    [body] = api.of("PUT", f"/start-tokens/{ATTRIBUTES_TYPE}")
    assert body["token"] == phone.ios.start_tokens[ATTRIBUTES_TYPE] != before


def test_a_swiped_card_is_reported_and_its_token_dies(
    sender: RawClient, phone: Phone, phones: Phones, api: Api
) -> None:
    token = started(sender, phone, phones)

    phone.swipe(ORDER)
    phones.wait()

    assert phone.shows(ORDER) is None
    assert len(api.of("DELETE", "?reason=dismissed")) == 1
    assert update(sender, token, 7).status == 410


def test_a_force_quit_app_shows_a_card_but_passes_nothing_on(
    sender: RawClient, phone: Phone, phones: Phones, api: Api
) -> None:
    phone.quit()

    start(sender, phone)
    phones.wait()

    assert phone.shows(ORDER) == {"minutes": 30}
    assert api.of("PUT", "/cards/") == []


def test_a_deleted_app_leaves_dead_tokens_and_says_nothing(
    sender: RawClient, phone: Phone, phones: Phones, api: Api
) -> None:
    token = started(sender, phone, phones)

    phone.uninstall()
    phones.wait()

    assert phone.shows(ORDER) is None
    assert update(sender, token, 7).status == start(sender, phone).status == 410
    assert api.of("DELETE", "") == []


def test_apple_keeps_the_latest_push_for_a_phone_that_is_offline(
    apple: ApnsSimulator, sender: RawClient, phone: Phone, phones: Phones
) -> None:
    token = started(sender, phone, phones)
    later_s = int(time.time()) + 600

    phone.go_offline()
    update(sender, token, 7, ahead_s=1, expiration_s=later_s)
    update(sender, token, 6, ahead_s=2, expiration_s=later_s)
    assert phone.shows(ORDER) == {"minutes": 30}
    phone.go_online()

    assert phone.shows(ORDER) == {"minutes": 6}
    assert [phones.verdict(push) for push in apple.received()] == ["applied", "overwritten_in_storage", "applied"]


def test_a_push_without_expiration_is_not_kept(sender: RawClient, phone: Phone, phones: Phones) -> None:
    token = started(sender, phone, phones)

    phone.go_offline()
    update(sender, token, 7, expiration_s=0)
    phone.go_online()

    assert phone.shows(ORDER) == {"minutes": 30}
    assert phone.history[-1].verdict is Verdict.EXPIRED


@pytest.mark.parametrize(("left_s", "verdict"), [(1, Verdict.APPLIED), (0, Verdict.EXPIRED)])
def test_a_kept_push_expires(apple: ApnsSimulator, api: Api, sender: RawClient, left_s: int, verdict: Verdict) -> None:
    now_s = time.time()
    phones = Phones(apple, api=api.url, token=str, now=lambda: now_s)
    phone = phones.of("ana")
    token = started(sender, phone, phones)

    phone.go_offline()
    update(sender, token, 7, expiration_s=int(now_s) + 60)
    now_s = int(now_s) + 60 - left_s
    phone.go_online()
    phones.stop()

    assert phones.verdict(apple.received()[-1]) == verdict


def test_an_app_says_nothing_while_offline_and_all_of_it_afterwards(phone: Phone, phones: Phones, api: Api) -> None:
    phone.go_offline()
    phone.start_card(ORDER)
    phones.wait()
    assert api.of("PUT", "/cards/") == []

    phone.go_online()
    phones.wait()

    assert ["token" in body for body in api.of("PUT", "/cards/")] == [False, True]


def test_a_card_that_the_app_starts_needs_no_push(phone: Phone, phones: Phones, api: Api) -> None:
    phone.start_card(ORDER, content_state={"minutes": 1})
    phones.wait()

    assert phone.shows(ORDER) == {"minutes": 1}
    assert "run" not in api.of("PUT", "/cards/")[0]


def answer(*, run: int = RUN, ended: bool = False, timestamp_s: int | None = None) -> dict[str, Any]:
    return {
        "activity": ORDER,
        "run": run,
        "attributes_type": ATTRIBUTES_TYPE,
        "attributes": {"activity": ORDER, "run": run},
        "content_state": {"minutes": 2},
        "timestamp": timestamp_s or int(time.time()) + 3600,
        "ended": ended,
    }


@pytest.mark.parametrize(
    ("said", "shown", "state"),
    [
        (answer(), 2, "active"),
        (answer(timestamp_s=1), 30, "active"),
        (answer(ended=True), 2, "ended"),
        (answer(run=RUN + 1), 30, "ended"),
    ],
)
def test_the_answer_to_a_report_updates_and_ends_cards(
    sender: RawClient, phone: Phone, phones: Phones, api: Api, said: dict[str, Any], shown: int, state: str
) -> None:
    started(sender, phone, phones)
    api.activities = [said]

    phone.launch()
    phones.wait()

    card = phone.card(ORDER)
    assert card is not None
    assert (card.content_state, card.state(time.time())) == ({"minutes": shown}, state)


@pytest.mark.parametrize(("self_start", "cards"), [(True, 1), (False, 0)])
def test_only_an_app_that_is_made_so_starts_cards_by_itself(
    phones: Phones, api: Api, self_start: bool, cards: int
) -> None:
    api.activities = [answer()]

    phone = phones.of("ana", self_start=self_start)
    phones.wait()

    assert len(phone.cards) == cards
    assert [body.get("run") for body in api.of("PUT", "/cards/")] == [RUN, RUN] * cards


def test_a_card_that_was_swiped_away_is_not_started_by_the_app(phones: Phones, api: Api) -> None:
    api.activities = [answer()]
    phone = phones.of("ana", self_start=True)
    phones.wait()

    phone.swipe(ORDER)
    phone.launch()
    phones.wait()

    assert len(phone.cards) == 1


def test_a_card_that_was_swiped_away_before_its_run_was_known_is_of_the_first_that_the_app_hears_of(
    phones: Phones, api: Api
) -> None:
    phone = phones.of("ana", self_start=True)
    phone.start_card(ORDER)
    phone.swipe(ORDER)

    runs = []
    for run in (RUN, RUN, RUN + 1):
        api.activities = [answer(run=run)]
        phone.launch()
        phones.wait()
        runs.append([card.run for card in phone.cards])

    assert runs == [[None], [None], [None, RUN + 1]]


def test_signing_out_ends_the_cards_and_says_so(sender: RawClient, phone: Phone, phones: Phones, api: Api) -> None:
    started(sender, phone, phones)

    phone.sign_out()
    phone.launch()
    phones.wait()

    assert phone.shows(ORDER) is None
    [deletion] = [line for line, _ in api.said if line.startswith("DELETE")]
    assert re.fullmatch(rf"DELETE /v1/devices/{phone.hardware.device}\?observed_at_ms=\d+", deletion)
    assert api.said[-1][0] == deletion


def test_a_start_that_was_on_its_way_when_the_user_signed_out_is_ended(
    sender: RawClient, phone: Phone, phones: Phones, api: Api
) -> None:
    phone.sign_out()

    start(sender, phone)
    phones.wait()

    assert [card.gone for card in phone.cards] == [CardState.DISMISSED]
    assert api.of("PUT", "/cards/") == []


def test_an_answer_that_comes_after_the_sign_out_is_not_obeyed(phones: Phones, api: Api) -> None:
    phone = phones.make(self_start=True)
    api.activities = [answer()]
    # What was asked for while it was online is answered once nobody is signed in.
    phone.go_offline()
    phone.launch("ana")
    phone.sign_out()

    phone.go_online()
    phones.wait()

    assert len(api.of("PUT", "/v1/devices/")) == 1
    assert phone.cards == []


def test_an_app_tries_again_after_a_server_error(phone: Phone, phones: Phones, api: Api) -> None:
    api.statuses = [500, 429]

    phone.launch()
    phones.wait()

    assert len(api.of("PUT", "/v1/devices/")) == 1 + 3
    assert phone.refusals == []


def test_an_app_gives_up_what_is_refused(phone: Phone, phones: Phones, api: Api) -> None:
    api.statuses = [403]

    phone.launch()
    phones.wait()

    assert [one.status for one in phone.refusals] == [403]
