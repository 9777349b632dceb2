"""What Lambda does with a function."""

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from onebox import function_log
from onebox.function_log import FunctionLog
from onebox.lambda_runtime import Function, FunctionError
from onebox.template import FunctionSpec

MODULE = """
import os
loaded_with = os.environ.get("GREETING")
print("imported")

def handler(event, context):
    if event == "raise":
        raise KeyError("nothing there")
    print("handled", event)
    return {
        "greeting": loaded_with,
        "id": context.aws_request_id,
        "left_ms": context.get_remaining_time_in_millis(),
        "name": context.function_name,
    }
"""


@pytest.fixture
def spec(tmp_path: Path) -> FunctionSpec:
    (tmp_path / "greet_for_test.py").write_text(MODULE)
    return FunctionSpec("GreetFunction", tmp_path, "greet_for_test.handler", 10, 512, {})


def function(spec: FunctionSpec, **environment: str | None) -> Function:
    return Function(spec, environment, FunctionLog(spec.logical_id), region="us-east-1")


def test_a_function_is_imported_with_its_own_environment(spec: FunctionSpec) -> None:
    answers = [function(spec, GREETING=word).invoke({}) for word in ("hello", "salve")]

    assert [answer["greeting"] for answer in answers] == ["hello", "salve"]
    assert "GREETING" not in os.environ


def test_the_context_counts_down_from_the_timeout(spec: FunctionSpec) -> None:
    answer = function(spec).invoke({})

    assert 9_000 < answer["left_ms"] <= 10_000
    assert answer["name"] == "GreetFunction"


def test_every_invocation_has_an_id_of_its_own(spec: FunctionSpec) -> None:
    greet = function(spec)

    assert greet.invoke({})["id"] != greet.invoke({})["id"]


def test_a_deploy_brings_other_code_and_an_environment_of_its_own(spec: FunctionSpec, tmp_path: Path) -> None:
    greet = function(spec, GREETING="hello")
    assert greet.invoke({})["greeting"] == "hello"
    (tmp_path / "part_for_test.py").write_text(MODULE.replace('"GREETING"', '"FAREWELL"'))

    greet.deploy(replace(spec, handler="part_for_test.handler", timeout_s=3), {"FAREWELL": "ciao"})

    answer = greet.invoke({})
    assert answer["greeting"] == "ciao"
    assert 2_000 < answer["left_ms"] <= 3_000
    assert greet.environment == {"FAREWELL": "ciao"}


def test_a_failure_is_told_with_its_traceback_in_the_log(spec: FunctionSpec) -> None:
    greet = function(spec)

    with pytest.raises(FunctionError, match="KeyError"):
        greet.invoke("raise")

    assert any("nothing there" in line for line in greet.log.lines)


def test_what_a_function_prints_goes_to_its_log_alone(spec: FunctionSpec, capsys: pytest.CaptureFixture[str]) -> None:
    greet = function(spec)

    greet.invoke(1)
    print("ours")

    assert greet.log.lines == ["imported", "handled 1"]
    assert capsys.readouterr().out == "ours\n"


def test_whoever_listens_hears_each_line_of_each_function(spec: FunctionSpec) -> None:
    heard: list[tuple[str, str, str | None]] = []

    def listen(name: str, line: str) -> None:
        heard.append((name, line, function_log.speaking()))

    function_log.LISTENERS.append(listen)
    try:
        function(spec).invoke(1)
    finally:
        function_log.LISTENERS.remove(listen)
    function(spec).invoke(2)

    assert heard == [("GreetFunction", line, "GreetFunction") for line in ("imported", "handled 1")]
    assert function_log.speaking() is None


def test_a_container_handles_one_event_at_a_time(tmp_path: Path) -> None:
    inside, most = 0, 0
    entered = threading.Event()

    def handler(event: Any, context: Any) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        entered.wait(0.05)
        inside -= 1

    spec = FunctionSpec("SlowFunction", tmp_path, "slow.handler", 10, 128, {})
    slow = Function(spec, {}, FunctionLog("slow"), region="us-east-1", make_handler=lambda _: handler)
    threads = [threading.Thread(target=slow.invoke, args=({},)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == 1


def test_only_json_passes_between_lambda_and_a_function(tmp_path: Path) -> None:
    spec = FunctionSpec("OddFunction", tmp_path, "odd.handler", 10, 128, {})
    odd = Function(spec, {}, FunctionLog("odd"), region="us-east-1", make_handler=lambda _: lambda *_: {1, 2})

    with pytest.raises(FunctionError, match="TypeError"):
        odd.invoke({})
