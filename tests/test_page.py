"""The page of lock screens, in a headless Chromium: what its user sees, and what others' pages may not do."""

import json
import re
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, Route, ViewportSize, expect

from onebox.page.browser import browser, chromium
from onebox.page.chronicle import Chronicle
from onebox.page.server import Page as Served
from onebox.page.view import View
from onebox.stack import Stack
from tests.messages import DRIVER, end, start, update

ORDER = "order-42"
CHROMIUM = chromium()

WIDE: ViewportSize = {"width": 1280, "height": 720}
NARROW: ViewportSize = {"width": 360, "height": 780}

in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (Debian's package: chromium)")


class Window:
    """A window, what it asked for, and what the browser complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.asked: list[str] = []
        page.set_default_timeout(20_000)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


@pytest.fixture(scope="module")
def window() -> Iterator[Window]:
    assert CHROMIUM is not None
    expect.set_options(timeout=20_000)
    with browser(CHROMIUM) as chrome:
        yield Window(chrome.new_page(viewport=WIDE, reduced_motion="reduce"))


@pytest.fixture
def page(window: Window, stack: Stack) -> Iterator[Page]:
    """Visit the page; whatever the browser complains of fails the test."""
    window.complaints.clear()
    window.asked.clear()
    window.page.set_viewport_size(WIDE)
    window.page.emulate_media(color_scheme="light")
    window.page.goto(stack.page.url)
    expect(window.page.locator("#link")).to_have_text("live")

    yield window.page

    window.page.goto("about:blank")
    assert window.complaints == []
    assert f"{stack.page.url}/events" in window.asked
    assert [url for url in window.asked if not url.startswith((f"{stack.page.url}/", "about:"))] == []


def ordered(stack: Stack, *users: str, **aps: Any) -> None:
    """Let an order run on a phone of each user."""
    for user in users:
        stack.phones.of(user)
    stack.phones.wait()
    stack.publish(start(ORDER, *users, aps=aps))
    stack.drain()


def card(page: Page, phone: str = "ana") -> Any:
    return page.get_by_label(f"Phone {phone}").locator(".card")


def newest(page: Page) -> Any:
    return page.locator(".way").first


def press(page: Page, name: str, within: str = "main") -> None:
    """Press a button as one does without a mouse."""
    button = page.locator(within).get_by_role("button", name=re.compile(rf"^{name}\b"))
    button.focus()
    page.keyboard.press("Enter")


# --- what is on the lock screens


@in_a_browser
def test_a_first_visit_is_offered_an_order_and_sees_it_on_three_lock_screens(page: Page, stack: Stack) -> None:
    expect(page.get_by_role("heading", name="Nothing is on a lock screen yet")).to_be_visible()

    page.route("**/publishes", let_the_start_through)
    press(page, "Play an order")
    expect(newest(page)).to_contain_text("published")
    stack.drain()

    for phone in ("ana", "ben", "carl"):
        expect(card(page, phone)).to_contain_text("Pizzeria Uno")
        expect(card(page, phone).locator(".headline")).to_have_text("taken")
    expect(page.get_by_role("heading", name="Nothing is on a lock screen yet")).to_be_hidden()
    expect(page.locator("#screens")).to_be_focused()
    page.unroute("**/publishes")


def let_the_start_through(route: Route) -> None:
    """What the order says later would come in the midst of the next test."""
    if '"start"' in (route.request.post_data or ""):
        route.continue_()
    else:
        route.fulfill(json={"message_id": "m-1"})


@in_a_browser
def test_what_is_published_by_the_form_appears_on_the_card(page: Page, stack: Stack) -> None:
    ordered(stack, "ana")
    expect(card(page).locator(".value")).to_have_text("30")
    expect(card(page).get_by_role("progressbar")).to_have_attribute("aria-valuenow", "0")

    page.get_by_label("Message, any JSON").fill(json.dumps(update(ORDER, 12)))
    page.keyboard.press("Control+Enter")
    expect(newest(page)).to_contain_text("Minutes 12")
    stack.drain()

    expect(card(page).locator(".value")).to_have_text("12")
    expect(card(page).locator(".unit")).to_have_text("Minutes")
    expect(card(page).get_by_role("progressbar")).to_have_attribute("aria-valuenow", "60")
    assert stack.phones["ana"].shows(ORDER) == {"driver": DRIVER, "minutes": 12}


@in_a_browser
def test_the_timeline_tells_the_way_of_a_publish_with_its_times(page: Page, stack: Stack) -> None:
    ordered(stack, "ana", "ben")

    press(page, "Update")
    expect(newest(page)).to_contain_text("Minutes 25")
    stack.drain()

    steps = newest(page).locator(".step")
    expect(steps).to_have_count(4)
    expect(steps.nth(0)).to_contain_text(re.compile(r"published\d\d:\d\d:\d\d\.\d{3}"))
    expect(steps.nth(1)).to_contain_text(re.compile(r"committook, revision 2\+\d"))
    for step in (steps.nth(2), steps.nth(3)):
        expect(step).to_contain_text(re.compile(r"(ana|ben)push\+\d.+200\+\d.+applied"))
    expect(newest(page).locator(".took")).to_contain_text("2 phones")


@in_a_browser
def test_what_a_producer_publishes_by_the_queue_is_told_too(page: Page, stack: Stack) -> None:
    ordered(stack, "ana")

    stack.publish(update(ORDER, 3))
    stack.drain()

    expect(newest(page)).to_contain_text("Minutes 3")
    expect(newest(page)).to_contain_text("took, revision 2")
    expect(newest(page)).to_contain_text("applied")


@in_a_browser
def test_an_alert_rings_as_a_banner(page: Page, stack: Stack) -> None:
    ordered(stack, "ana")

    stack.publish(update(ORDER, aps={"alert": {"title": "Nearly there", "body": "7 minutes"}}))
    stack.drain()

    expect(page.locator(".banner")).to_have_text("Nearly there7 minutes")


@in_a_browser
def test_a_state_past_its_date_is_stale_and_an_end_ends_the_card(page: Page, stack: Stack) -> None:
    ordered(stack, "ana")
    expect(card(page).locator(".badge")).to_have_text("Live")

    stack.publish(update(ORDER, aps={"stale-date": 1_700_000_000}))
    stack.drain()
    expect(card(page).locator(".badge")).to_have_text("Stale")

    press(page, "End")
    expect(newest(page).locator(".event")).to_have_text("end")
    stack.drain()
    expect(card(page).locator(".badge")).to_have_text("Ended")
    expect(page.locator("#activities").get_by_role("button", name="Start again")).to_be_visible()


@in_a_browser
def test_what_a_state_says_is_text_and_nothing_else(page: Page, stack: Stack) -> None:
    markup = "<img src=x onerror=alert(1)><b>Anacleta</b>"
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))

    ordered(stack, "ana", attributes={"shop": markup}, **{"content-state": {"stage": markup, markup: [markup]}})

    expect(card(page).locator(".headline")).to_have_text(markup)
    expect(card(page).locator("h4")).to_have_text(markup)
    expect(card(page).locator("b, img")).to_have_count(0)


# --- what is done there


@in_a_browser
def test_a_fault_that_is_injected_shows_where_it_strikes(page: Page, stack: Stack) -> None:
    ordered(stack, "ana")

    page.get_by_label("What goes wrong").select_option("429 TooManyRequests")
    press(page, "Inject")
    expect(page.locator("#armed")).to_have_text("429 TooManyRequests")
    press(page, "Update")
    expect(newest(page).locator(".event")).to_have_text("update")
    stack.drain(hasten=True)

    struck = newest(page).locator(".step", has_text="429 TooManyRequests")
    expect(struck).to_contain_text("fault")
    expect(newest(page).locator(".step").last).to_contain_text("applied")
    expect(page.get_by_text("Apple does what it should.")).to_be_visible()


@in_a_browser
def test_apple_answers_410_for_a_token_that_was_killed(page: Page, stack: Stack) -> None:
    ordered(stack, "ana")

    press(page, "Kill token")
    expect(page.locator(".deed").first).to_contain_text("Apple calls the token of order-42 dead")
    press(page, "Update")
    expect(newest(page).locator(".event")).to_have_text("update")
    stack.drain()

    expect(newest(page)).to_contain_text("410 Unregistered")
    assert stack.phones["ana"].shows(ORDER) == {"driver": DRIVER, "minutes": 30}


@in_a_browser
def test_a_phone_that_was_offline_hears_what_apple_kept(page: Page, stack: Stack) -> None:
    ordered(stack, "ana")

    press(page, "Go offline")
    expect(page.get_by_label("Phone ana").locator(".network")).to_contain_text("offline")
    stack.publish(update(ORDER, 5))
    stack.drain()
    expect(newest(page)).to_contain_text("kept for a phone that is away")
    expect(newest(page).locator(".took")).to_have_text("")
    press(page, "Go online")

    expect(card(page).locator(".value")).to_have_text("5")
    expect(newest(page)).to_contain_text("applied")


@in_a_browser
def test_a_phone_is_added(page: Page, stack: Stack) -> None:
    page.get_by_label("User", exact=True).fill("zoe")
    page.get_by_role("combobox", name="iOS").select_option("17.5")
    page.get_by_label("Follows", exact=True).fill("team-42, team-7")
    press(page, "Add phone")

    expect(page.get_by_label("Phone zoe")).to_contain_text("zoe")
    [phone] = stack.phones.all()
    assert (phone.app.user, phone.hardware.os_version, phone.app.follows) == ("zoe", "17.5", ["team-42", "team-7"])


@in_a_browser
def test_a_message_that_can_never_work_shows_why_and_what_is_no_json_is_not_sent(page: Page, stack: Stack) -> None:
    message = page.get_by_label("Message, any JSON")

    message.fill("{")
    press(page, "Publish")
    expect(page.locator("#message-said")).to_contain_text("no JSON")
    message.fill(json.dumps({"activity": ORDER, "aps": {"event": "update"}}))
    press(page, "Publish")
    expect(newest(page)).to_contain_text("published")
    stack.drain()

    expect(newest(page)).to_contain_text("refused")
    expect(newest(page)).to_contain_text("content-state")
    expect(page.locator(".way")).to_have_count(1)


@in_a_browser
def test_what_was_typed_is_sent_as_it_was_typed_and_a_button_leaves_it_there(page: Page, stack: Stack) -> None:
    ordered(stack, "ana")
    field = page.get_by_label("Message, any JSON")
    typed = '{ "activity": "order-42",\n  "n": 9007199254740993, "share": 1.0, "aps": {"event": "update"} }'

    field.fill(typed)
    press(page, "Update")
    expect(newest(page)).to_contain_text("Minutes 25")
    expect(field).to_have_value(typed)
    press(page, "Publish")
    expect(page.locator(".way")).to_have_count(3)
    stack.drain()

    [refused] = stack.queues.look("PublishDeadLetterQueue")
    assert refused.body == typed


@in_a_browser
def test_what_a_button_sends_is_seen_in_the_form_until_an_example_is_chosen(page: Page, stack: Stack) -> None:
    ordered(stack, "ana")
    field = page.get_by_label("Message, any JSON")
    expect(page.locator("#activities")).to_contain_text(ORDER)

    press(page, "Alert")
    expect(field).to_have_value(re.compile("It moves on"))
    press(page, "Update")
    expect(field).not_to_have_value(re.compile("It moves on"))
    page.get_by_label("Begin with").select_option("what will be refused")

    expect(field).to_have_value(re.compile(r'"aps": \{"event": "update"\}'))


@in_a_browser
def test_a_card_that_can_not_be_drawn_is_written_beside_those_that_can(page: Page, stack: Stack) -> None:
    odd: Any = [1]
    stack.phones.of("ana").start_card(ORDER, attributes=odd, content_state=odd)
    ordered(stack, "ben")

    expect(card(page).locator(".headline")).to_have_text("Can’t be drawn: attributes: [1], content-state: [1]")
    expect(card(page, "ben").locator(".value")).to_have_text("30")


@in_a_browser
def test_of_a_list_one_item_that_can_not_be_drawn_is_told_in_words_until_it_can(page: Page, window: Window) -> None:
    drawn = page.evaluate(
        """async () => {
            const { arrange, element } = await import("./dom.js");
            const [list, kept] = [document.createElement("ul"), new Map()];
            const make = () => {
                const node = element("li");
                return { node, show: (item) => (node.textContent = item.name.toUpperCase()) };
            };
            return [[{ name: "a" }, {}, { name: "c" }], [{}, {}, { name: "c" }], [{ name: "a" }, { name: "b" }]].map((items) => {
                arrange(list, kept, items.map((item, place) => [place, item]), make);
                return [...list.children].map((one) => one.textContent.replace(/[(].*[)]/, ""));
            });
        }"""
    )

    said = "This can’t be drawn : {}"
    assert drawn == [["A", said, "C"], [said, said, "C"], ["A", "B"]]
    assert len(window.complaints) == 2
    window.complaints.clear()


# --- for everybody


@in_a_browser
def test_axe_finds_nothing_that_keeps_anybody_out(page: Page, stack: Stack) -> None:
    assert violations(page) == []

    ordered(stack, "ana")
    stack.publish(end(ORDER))
    stack.publish(start("order-43", "ana"))
    stack.drain()
    press(page, "Inject")
    expect(page.locator("#armed li")).to_have_count(1)
    expect(card(page)).to_have_count(2)

    for colours in ("light", "dark"):
        page.emulate_media(color_scheme=colours)
        assert violations(page) == []


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html']}" for one in found]


@in_a_browser
def test_all_of_it_is_reached_by_keyboard_and_the_focus_is_seen(page: Page, stack: Stack) -> None:
    ordered(stack, "ana")
    expect(card(page)).to_be_visible()
    wanted = page.evaluate("document.querySelectorAll(':is(a, button, input, select, textarea):enabled, a').length")

    reached = {}
    for _ in range(wanted + 10):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            """() => {
                const on = document.activeElement;
                return [`${on.tagName} ${on.id || on.textContent.slice(0, 20)}`, getComputedStyle(on).outlineStyle];
            }"""
        )
        reached[name] = outline

    # Past the last, the focus leaves the page, and comes back.
    outlines = {outline for name, outline in reached.items() if not name.startswith("BODY")}
    assert outlines == {"solid"}
    buttons = (
        "Go offline",
        "Kill token",
        "New token",
        "Swipe away",
        "Update",
        "Alert",
        "End",
        "Publish",
        "Inject",
        "Add phone",
    )
    assert {f"BUTTON {name}" for name in buttons} <= reached.keys()
    assert {"TEXTAREA message", "SELECT fault", "OL ways"} <= reached.keys()


@in_a_browser
def test_a_window_of_360_pixels_is_wide_enough(page: Page, stack: Stack) -> None:
    page.set_viewport_size(NARROW)
    ordered(stack, "ana", "ben")

    expect(card(page)).to_be_visible()
    expect(newest(page)).to_contain_text("applied")
    assert page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]


@in_a_browser
def test_names_and_numbers_are_read_as_a_person_would(page: Page) -> None:
    read = page.evaluate(
        """async () => {
            const { inWords, progressOf, titleOf, written } = await import("./reading.js");
            const part = (state, most = {}) => progressOf(state, most)?.part ?? null;
            return [
                ["minutesLeft", "on_its_way", "ETA", "homeScore"].map(inWords),
                [part({ progress: 0.4 }), part({ percent: 40 }), part({ share: 0.4 }), part({ minutes: 3 }, { minutes: 12 })],
                [part({ awayScore: 1 }), part({ minute: 71 }), part({ progress: "much" }), part({})],
                [titleOf({ shop: "Uno" }, "a"), titleOf({ order: 42 }, "a"), titleOf({}, "a")],
                JSON.parse(written({ a: ["x [ y", { b: "{ }".repeat(30) }], c: null })),
            ];
        }"""
    )

    assert read == [
        ["Minutes left", "On its way", "ETA", "Home score"],
        [0.4, 0.4, 0.4, 0.75],
        [None, None, None, None],
        ["Uno", "Order 42", "a"],
        {"a": ["x [ y", {"b": "{ }" * 30}], "c": None},
    ]


def served(stack: Stack, port: int = 0) -> Served:
    """Serve one more page of a stack, whose functions' logs it does not hear."""
    view = View(stack.phones, stack.apns, Chronicle(), commits_seen=False)
    served = Served(stack.control, view, port=port, again_ms=50)
    served.start()
    return served


@in_a_browser
def test_a_page_whose_stack_stops_says_so_and_finds_the_next_one(window: Window, stack: Stack) -> None:
    first = served(stack)
    page = window.page
    page.goto(first.url)
    expect(page.locator("#link")).to_have_text("live")
    expect(page.get_by_text("Functions run in containers")).to_be_visible()

    first.stop()
    expect(page.locator("#link")).to_contain_text("stopped")
    stack.phones.of("ana")
    second = served(stack, port=int(first.url.rpartition(":")[2]))

    expect(page.locator("#link")).to_have_text("live")
    expect(page.get_by_label("Phone ana")).to_be_visible()
    page.goto("about:blank")
    second.stop()


# --- for nobody else


def ask(stack: Stack, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection(urlsplit(stack.page.url).netloc, timeout=5)
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, None if body is None else json.dumps(body), said)
    response = connection.getresponse()
    found = response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    connection.close()
    return found


JSON = {"content_type": "application/json"}


def test_it_listens_on_the_loopback_only(stack: Stack) -> None:
    assert urlsplit(stack.page.url).hostname == "127.0.0.1"
    assert stack.endpoints()["page"] == stack.page.url


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1:1"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:1"},
        {"sec_fetch_site": "cross-site"},
        {"content_type": "text/plain"},
        {"content_type": "application/x-www-form-urlencoded"},
    ],
)
def test_other_sites_can_have_nothing_done(stack: Stack, headers: dict[str, str]) -> None:
    status, _, _ = ask(stack, "POST", "/phones", {"user": "eve"}, **(JSON | headers))

    assert status == 403
    assert stack.phones.all() == []


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "https://evil.example"}])
@pytest.mark.parametrize("path", ["/", "/events"])
def test_other_sites_can_read_nothing(stack: Stack, path: str, headers: dict[str, str]) -> None:
    assert ask(stack, "GET", path, **headers)[0] == 403


def test_its_own_pages_can_by_either_name_of_this_machine(stack: Stack) -> None:
    port = urlsplit(stack.page.url).port

    for name in ("127.0.0.1", "localhost"):
        here = f"{name}:{port}"
        headers = {"host": here, "origin": f"http://{here}", "sec_fetch_site": "same-origin", **JSON}
        assert ask(stack, "POST", "/phones", {"user": name, "name": name}, **headers)[0] == 200
    assert len(stack.phones.all()) == 2


def test_nothing_from_elsewhere_may_be_loaded_or_run(stack: Stack) -> None:
    status, headers, _ = ask(stack, "GET", "/")

    assert status == 200
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "connect-src", "img-src")} == {"'self'"}
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("path", ["/../server.py", "/%2e%2e/server.py", "/server.py", "/static/main.js", "/pushes"])
def test_what_is_not_the_page_is_not_served(stack: Stack, path: str) -> None:
    assert ask(stack, "GET", path)[0] == 404


def test_what_the_control_interface_refuses_is_refused_here(stack: Stack) -> None:
    status, _, body = ask(stack, "POST", "/phones", {"phone": "nobodys", "do": "launch"}, **JSON)

    assert status == 400
    assert "nobodys" in json.loads(body)["message"]


def test_events_begin_with_all_there_is_go_on_with_what_changed_and_end_with_the_server(stack: Stack) -> None:
    stack.phones.of("ana")
    stack.phones.wait()
    page = served(stack)
    connection = HTTPConnection(urlsplit(page.url).netloc, timeout=10)
    connection.request("GET", "/events")
    response = connection.getresponse()

    kind, whole = read_event(response)
    stack.phones["ana"].go_offline()
    then, changed = read_event(response)
    page.stop()

    assert response.getheader("content-type") == "text/event-stream"
    assert (kind, then) == ("all", "changes")
    assert set(whole["put"]) == {"about/stack", "about/faults", "phone/ana"}
    assert set(changed["put"]) == {"phone/ana"}
    assert not changed["put"]["phone/ana"]["online"]
    assert response.read() == b""
    connection.close()


def read_event(response: HTTPResponse) -> tuple[str, Any]:
    """Read one event; what comes before it, and says nothing, is passed over."""
    fields: dict[str, str] = {}
    while "data" not in fields:
        name, _, value = response.readline().decode().rstrip("\n").partition(": ")
        fields[name] = value
    assert response.readline() == b"\n"
    return fields["event"], json.loads(fields["data"])
