"""The search for secrets in what functions print: that it finds them, and nothing else; over one line, and over a run."""

import json
import subprocess
import sys
from pathlib import Path

import jwt
import pytest

from lockstep.ids import phone_of, shorten
from onebox import ROOT
from onebox.signing_key import LocalSigningKey
from onebox.stack import Stack
from tests.leaks import Secrets
from tests.messages import DRIVER, end, start, update
from tests.pushing import ORDER, say, started
from tests.recording import of_run, printed_by_functions
from tests.roles import Call

KEY = LocalSigningKey.fresh()
TOKEN = "80a1f2c3" * 8
STATE = {"driver": DRIVER, "minutes": 7, "stops": [{"street": "Rue Añá"}]}


@pytest.fixture
def secrets() -> Secrets:
    secrets = Secrets()
    secrets.learn_key(KEY.secret())
    secrets.learn_states({"MessageBody": json.dumps(update(aps={"content-state": STATE}))})
    return secrets


def logged(said: object) -> str:
    return json.dumps({"level": "INFO", "message": "published", "said": said})


SECRET: dict[str, tuple[object, str]] = {
    "PEM": (KEY.private_pem, "a key"),
    "a line of it": (KEY.private_pem.splitlines()[2], "a key"),
    "the secret": (KEY.secret(), "a key"),
    "another key's first line": (LocalSigningKey.fresh().private_pem.splitlines()[1], "a key"),
    "a user's JWT": (jwt.encode({"sub": "ana"}, "x" * 32), "a JWT"),
    "a provider token": (f"bearer {jwt.encode({'iat': 1}, KEY.private_pem, algorithm='ES256')}", "a JWT"),
    "a token": (TOKEN, "a whole token"),
    "a token in a list": ([{"token": TOKEN.upper() + "ab"}], "a whole token"),
    "a state": (STATE, "a content-state"),
    "a state as JSON": (json.dumps(STATE), "a content-state"),
    "a state as JSON in JSON": (json.dumps(json.dumps(STATE)), "a content-state"),
    "a state's repr": (repr(STATE), "a content-state"),
    "a state of the same form": ({"minutes": 1}, "a content-state"),
    "a text of a state": (f"not a number: {DRIVER!r}", "a content-state"),
    "a text deep in a state": ("not a street: Rue Añá", "a content-state"),
}


@pytest.mark.parametrize("kind", SECRET)
def test_a_secret_is_found_however_it_got_into_a_line(secrets: Secrets, kind: str) -> None:
    said, what = SECRET[kind]

    assert secrets.found_in(logged(said)) == [what]
    if isinstance(said, str):
        assert what in secrets.found_in(f"ValueError: {said}"), "in a traceback"


@pytest.mark.parametrize(
    "said",
    [
        shorten(TOKEN),
        TOKEN[:-1],
        {"activity": "a" * 128},
        phone_of("a device"),
        "aps.content-state: is missing; an update needs one",
        "7 minutes, said the driver",
        {"activity": ORDER, "reason": "BadDeviceToken", "status": 400},
        "eyJhbGciOiJIUzI1NiJ9 is the head of one",
        {"other": {"names": [1]}},
    ],
)
def test_what_is_no_secret_is_not_taken_for_one(secrets: Secrets, said: object) -> None:
    assert secrets.found_in(logged(said)) == []


def test_names_that_the_logger_gives_are_not_taken_for_a_states(secrets: Secrets) -> None:
    trace = {"type": "KeyError", "frames": [{"file": "push.py", "line": 7}]}
    line = {"level": "ERROR", "stack_trace": trace, "_aws": {"CloudWatchMetrics": [{"Metrics": [{"Name": "Sent"}]}]}}
    secrets.learn_states({"content-state": {"level": 1, "file": "f", "line": 1, "Name": "x", "type": "y"}})

    assert secrets.found_in(json.dumps(line)) == []
    assert secrets.found_in(json.dumps({**line, "said": {"file": "g"}})) == ["a content-state"]
    assert secrets.found_in(json.dumps({**line, "minutes": 7, "driver": DRIVER})) == ["a content-state"]


def test_states_are_known_from_rows_and_from_dead_letters() -> None:
    row, letter = Secrets(), Secrets()

    row.learn_states({"Values": {":state": {"S": json.dumps({"at": 1, "value": {"content-state": STATE}})}}})
    letter.learn_states({"MessageBody": json.dumps(update(aps={"content-state": STATE}))[:-1] + "x"})
    letter.learn_states({"MessageBody": json.dumps({"Message": json.dumps(update(aps={"content-state": STATE}))})})

    assert row.found_in(logged(STATE)) == letter.found_in(logged(STATE)) == ["a content-state"]
    assert Secrets().found_in(logged(STATE)) == []


def test_only_lines_of_the_functions_logger_and_metrics_are_searched_in_what_tests_print() -> None:
    ours = ['{"level":"INFO"}', '{"_aws":{}}']

    assert list(printed_by_functions(["a line", *ours, '{"state": 7}'])) == ours


# --- a run


def test_calls_are_known_by_their_function_and_resource(stack: Stack, pytestconfig: pytest.Config) -> None:
    started(stack, "ana")
    say(stack, end("unheard-of", published_at_ms=1))

    calls = of_run(pytestconfig).calls
    assert Call("RegisterFunction", "dynamodb:UpdateItem", "TokensTable") in calls
    assert Call("PushFunction", "dynamodb:UpdateItem", "ActivitiesTable") in calls
    assert Call("PushFunction", "sqs:SendMessage", "PublishDeadLetterQueue") in calls
    assert Call("PushFunction", "secretsmanager:GetSecretValue", "SigningKey") in calls
    assert not [call for call in calls if "/" in call.function or call.action.startswith("cloudformation:")]


def test_what_is_secret_is_known_from_what_functions_read_and_write(stack: Stack, pytestconfig: pytest.Config) -> None:
    say(stack, start(ORDER, aps={"content-state": {**STATE, "gate": "B 22 (upstairs)"}}))
    say(stack, update("order-43", aps={"event": "unheard of", "content-state": {"seat": 1}}))

    found_in = of_run(pytestconfig).secrets.found_in
    assert found_in("gate B 22 (upstairs)") == ["a content-state"]
    assert found_in("{'seat': 2}") == ["a content-state"], "of a refused publish"
    assert found_in(stack.signing_key.private_pem.splitlines()[2]) == ["a key"]


SUITE = """
import pytest
from onebox.function_log import FunctionLog

def test_a_function_prints_something() -> None:
    with FunctionLog("PushFunction").taking():
        print({line!r})

def test_something_else() -> None:
    pass
"""


def run(folder: Path, line: str, *more: str) -> tuple[int, str]:
    """Run a suite of two tests, of which one lets a function print this line."""
    (folder / "tests").mkdir()
    (folder / "conftest.py").write_text('pytest_plugins = ["tests.recording"]\n')
    (folder / "tests" / "test_it.py").write_text(SUITE.format(line=line))
    # A folder that pytest was told to leave out is no part of a whole run.
    (folder / "tests" / "foreign").mkdir()
    (folder / "tests" / "foreign" / "test_other.py").write_text("raise SystemExit(1)\n")
    (folder / "pytest.ini").write_text(
        f"[pytest]\npythonpath = {ROOT} {ROOT / 'layers' / 'shared'}\nnorecursedirs = foreign\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={folder}", *more, "tests"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return ran.returncode, ran.stdout + ran.stderr


def test_a_part_of_a_run_that_prints_a_secret_fails_and_names_the_test(tmp_path: Path) -> None:
    status, said = run(tmp_path, logged(TOKEN), "-k", "prints")

    assert status == 1
    assert "PushFunction has a whole token: tests/test_it.py::test_a_function_prints_something" in said
    assert "never did" not in said


def test_a_part_of_a_run_that_prints_no_secret_passes_and_says_nothing(tmp_path: Path) -> None:
    status, said = run(tmp_path, logged(shorten(TOKEN)), "-k", "prints")

    assert status == 0
    assert "roles" not in said


def test_a_whole_run_fails_by_all_that_roles_allow_and_no_process_used(tmp_path: Path) -> None:
    status, said = run(tmp_path, logged(TOKEN), "-n", "2")

    assert status == 1
    assert "PushFunction has a whole token: tests/test_it.py::test_a_function_prints_something" in said
    assert "PushFunction may sqs:SendMessage on SliceQueue, and never did" in said
    assert "queues.SourceQueue.put_back calls AWS, and no function came there" in said
    assert "ReceiveMessage" not in said
