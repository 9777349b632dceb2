"""
What all tests together tell of the functions: which calls to AWS they make, and whether they print anything secret.

A plugin of pytest. Functions run in the tests' own processes (onebox), so botocore's events tell each call of the clients
that they make, and `onebox.function_log` what they print. A secret in what was printed, or in the reason of a dead letter,
fails the run, and so does a call that the function's role does not allow. What roles allow and nobody used, and calls in the
code that no test makes, only a whole run can tell: it fails by them too, and less than a whole run says nothing of them.

Functions in processes of their own are not seen (bench/); those of tests/play are, for they leave a file.
"""

import json
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Self

import boto3
import pytest

from onebox import ROOT, function_log
from onebox.aws import ENVIRONMENT
from onebox.environment import variables
from tests.leaks import Secrets
from tests.roles import PACKAGE, Call, Site, allowed, calls_of, missing, sites, to_spare

_FOLDER = f"{PACKAGE}{os.sep}"
_FUNCTIONS = f"{ROOT / 'functions'}{os.sep}"

# So much of a line with a secret tells where it was printed.
_EXCERPT = 500


@dataclass(slots=True)
class Told:
    """
    What a process, or many, came to know.

    Attributes:
        calls: Each with a test that had it made.
        places: Where in the package calls were made.
        leaks: A sentence for each test that had secrets printed, with the first line that has one.
        lines: How many were searched.
        whole: Whether all tests were to be run.
    """

    calls: dict[Call, str] = field(default_factory=dict)
    places: set[Site] = field(default_factory=set)
    leaks: list[str] = field(default_factory=list)
    lines: int = 0
    whole: bool = True

    def add(self, other: "Told") -> None:
        """Add what another process came to know."""
        self.calls = other.calls | self.calls
        self.places |= other.places
        self.leaks += other.leaks
        self.lines += other.lines
        self.whole &= other.whole

    def to_text(self) -> str:
        """Write it for another process to read."""
        calls = [[*call, test] for call, test in self.calls.items()]
        return json.dumps([calls, [list(place) for place in self.places], self.leaks, self.lines, self.whole])

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what another process wrote."""
        calls, places, leaks, lines, whole = json.loads(text)
        known = {Call(*call): test for *call, test in calls}
        return cls(known, {Site(*place) for place in places}, leaks, lines, whole)

    def wrong(self, *, permissions: set[Call], places: set[Site]) -> Iterator[str]:
        """Say what is wrong, by so much as was run."""
        yield from self.leaks
        for call in sorted(missing(self.calls, permissions)):
            yield f"{call.function} may not {call.action} on {call.resource}: {self.calls[call]}"
        if self.whole:
            for call in sorted(to_spare(self.calls, permissions)):
                yield f"{call.function} may {call.action} on {call.resource}, and never did"
            for place in sorted(places - self.places):
                yield f"{place.module}.{place.function} calls AWS, and no function came there"


class Recording:
    """Listens to the functions of this process."""

    def __init__(self) -> None:
        self.secrets = Secrets()
        self._told = Told()
        self._events: Any = None
        self._sees: Callable[..., None] | None = None
        self._heard: list[tuple[str, str, str]] = []

    @property
    def calls(self) -> Collection[Call]:
        """Return what functions called so far."""
        return self._told.calls

    def begin(self) -> None:
        """Listen from now on: to each client that is made of boto3's own session, as those of functions are."""
        with variables(ENVIRONMENT):
            boto3.setup_default_session()
        self._events = boto3.DEFAULT_SESSION.events  # type: ignore[union-attr]  # it was just set up
        self._events.register("creating-client-class", self._see_client)
        self._events.register("after-call.secretsmanager.GetSecretValue", self._see_key)
        function_log.LISTENERS.append(self.hear)

    def end(self) -> Told:
        """Listen no more; search all that was heard by all that is known to be secret now."""
        function_log.LISTENERS.remove(self.hear)
        leaks: dict[str, str] = {}
        for source, test, line in self._heard:
            found = " and ".join(self.secrets.found_in(line))
            if found:
                leaks.setdefault(f"{source} has {found}: {test}", line[:_EXCERPT])
        self._told.leaks += [f"{what}: {line}" for what, line in leaks.items()]
        self._told.lines += len(self._heard)
        self._heard.clear()
        return self._told

    def add(self, told: Told) -> None:
        """Add what another process came to know."""
        self._told.add(told)

    def hear(self, source: str, line: str) -> None:
        """Take a line that is to be searched."""
        self._heard.append((source, _test(), line))

    def _see_client(self, **_: object) -> None:
        """
        Have the client that is about to be made tell its calls, if a function makes it, as that function's.

        A client takes over the handlers that its session has when it is made. Functions of another release, which tests
        may run too, are no affair of this one's roles.
        """
        if self._sees is not None:
            self._events.unregister("provide-client-params", self._sees)
            self._sees = None
        function = function_log.speaking()
        if function is not None and any(code.co_filename.startswith(_FUNCTIONS) for code in _callers()):
            self._sees = partial(self._see_call, function)
            self._events.register("provide-client-params", self._sees)

    def _see_call(self, function: str, params: Mapping[str, Any], model: Any, **_: object) -> None:
        for call in calls_of(function, model.service_model.service_name, model.name, params):
            self._told.calls.setdefault(call, _test())
        if (place := _place()) is not None:
            self._told.places.add(place)
        self.secrets.learn_states(params)
        reason = params.get("MessageAttributes", {}).get("reason")
        if model.name == "SendMessage" and reason is not None:
            self.hear("a dead letter's reason", reason["StringValue"])

    def _see_key(self, parsed: Mapping[str, Any], **_: object) -> None:
        self.secrets.learn_key(parsed.get("SecretString", ""))


def _test() -> str:
    """Return the test that runs, without the part of it."""
    return os.environ.get("PYTEST_CURRENT_TEST", "between tests (call)").rpartition(" ")[0]


def _callers() -> Iterator[CodeType]:
    """Yield the code that is being run, the innermost first."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame.f_code
        frame = frame.f_back


def _place() -> Site | None:
    """Return where in the package the call that is being made stands."""
    inside = (code for code in _callers() if code.co_filename.startswith(_FOLDER))
    return next((Site(Path(code.co_filename).stem, code.co_qualname) for code in inside), None)


def printed_by_functions(lines: Iterable[str]) -> Iterator[str]:
    """Yield those lines that a logger or metrics of the functions printed: JSON, with a level or metrics."""
    for line in lines:
        if line.startswith("{") and ('"level"' in line or '"_aws"' in line):
            yield line


class Plugin:
    """Records in each process that runs tests, and judges in the one that the person started."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._told = Told()
        self._wrong: list[str] = []
        self._judged = False
        # With xdist, the process that was started runs no tests itself.
        runs_tests = is_worker(config) or config.getoption("dist", "no") == "no"
        self.recording = Recording() if runs_tests else None
        self._deselected = False
        if self.recording is not None:
            self.recording.begin()

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self._deselected |= bool(items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if self.recording is not None:
            left = self._config.getini("norecursedirs")
            every = (self._config.rootpath / "tests").rglob("test_*.py")
            files = {file for file in every if not any(fnmatch(part, one) for part in file.parts for one in left)}
            named = any("::" in argument for argument in self._config.args)
            left_out = self._deselected or named or self._config.getoption("collectonly")
            self._told.whole = not left_out and files <= {item.path for item in session.items}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # The last report has what was printed from setup to teardown.
        if self.recording is not None and report.when == "teardown":
            for name, content in report.sections:
                if name.startswith("Captured stdout"):
                    for line in printed_by_functions(content.splitlines()):
                        self.recording.hear(f"what {report.nodeid} printed", line)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        text = getattr(node, "workeroutput", {}).get("recording")
        # A process that died did not say what it knew.
        self._told.add(Told(whole=False) if text is None else Told.from_text(text))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.recording is not None:
            self._told.add(self.recording.end())
        if is_worker(self._config):
            self._config.workeroutput["recording"] = self._told.to_text()  # type: ignore[attr-defined]  # xdist's
            return
        # What broke off, or failed, did not come to all that it would have.
        self._told.whole &= session.exitstatus == pytest.ExitCode.OK
        self._wrong = list(self._told.wrong(permissions=allowed(), places=sites()))
        if self._wrong and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._wrong:
            terminalreporter.section("what the functions did", red=True)
            for sentence in self._wrong:
                terminalreporter.write_line(sentence)
        elif self._told.whole:
            terminalreporter.write_line(
                f"roles: {len(self._told.calls)} calls, all allowed, and nothing to spare; "
                f"nothing secret in {self._told.lines:,} lines"
            )


def of_run(config: pytest.Config) -> Recording:
    """Return what listens to the functions of this process."""
    plugin: Any = config.pluginmanager.get_plugin("recording")
    recording: Recording = plugin.recording
    return recording


def is_worker(config: pytest.Config) -> bool:
    """Whether this process runs tests for another."""
    return hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Plugin(config), "recording")
