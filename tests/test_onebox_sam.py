"""The functions in containers: what is said where Docker or the SAM CLI can't; both are executables of a test's own here.

What they do with real containers is shown by `make sam-local` and `make demo FUNCTIONS=sam`.
"""

import json
import os
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from onebox import ROOT
from onebox.__main__ import main
from onebox.aws import REGION
from onebox.function_log import FunctionLog
from onebox.http_event import Request, Response
from onebox.http_server import HttpServer
from onebox.lambda_runtime import FunctionError
from onebox.sam.check import EVENTS
from onebox.sam.cli import SamCli, SamFailed
from onebox.sam.functions import SamApi, SamFunction
from onebox.sam.image import NoImage, fetch, image_of, see_docker
from onebox.template import Route, Template

IMAGE = "public.ecr.aws/lambda/python:3.13-x86_64"


def executable(path: Path, script: str) -> Path:
    path.write_text(script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


# --- the image


def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *failing: str) -> None:
    """Let docker be one whose commands of these names fail."""
    executable(
        tmp_path / "docker", f'#!/bin/sh\ncase "$1" in {"|".join(failing) or "-"}) echo "no route" >&2; exit 1;; esac\n'
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def test_the_image_is_that_of_the_templates_runtime_and_processor() -> None:
    assert image_of(Template.load(ROOT / "template.yaml", region=REGION)) == IMAGE


def test_the_image_is_pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, monkeypatch)

    assert fetch(IMAGE) == f"pulled {IMAGE}"


def test_an_image_that_is_here_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, monkeypatch, "pull")

    assert fetch(IMAGE) == f"could not pull {IMAGE}; going on with the one that is here"


@pytest.mark.parametrize(
    ("failing", "advice"),
    [(("pull", "image"), r"no route.*docker pull"), (("info",), r"Start it"), (("pull", "image", "info"), r"Start it")],
)
def test_without_an_image_it_is_said_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: tuple[str, ...], advice: str
) -> None:
    docker(tmp_path, monkeypatch, *failing)

    with pytest.raises(NoImage, match=re.compile(advice, re.DOTALL)):
        fetch(IMAGE)


def test_without_docker_it_is_said_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NoImage, match=r"Docker is missing.*Install it"):
        fetch(IMAGE)


@pytest.mark.parametrize(
    ("says", "advice"),
    [
        ("permission denied while trying to connect to the Docker daemon socket", "usermod -aG docker"),
        ("Cannot connect to the Docker daemon at unix:///x. Is it running?\nerrors pretty printing info", "unix:///x"),
        ("some other trouble", "some other trouble"),
    ],
)
def test_a_docker_that_does_not_work_is_told_by_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, advice: str
) -> None:
    executable(tmp_path / "docker", f"#!/bin/sh\nprintf '%s\\n' '{says}' >&2\nexit 1\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    with pytest.raises(NoImage, match=re.escape(advice)):
        see_docker()


def test_without_a_sam_cli_it_is_said_which_targets_bring_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--local", str(tmp_path), "--sam", str(tmp_path / "sam"), "demo", "--functions", "sam"]

    assert main(arguments) == 1
    assert "bring their own" in capsys.readouterr().err


# --- the SAM CLI


def sam(tmp_path: Path, script: str) -> SamCli:
    """Return a SAM CLI that is this Python script."""
    command = executable(tmp_path / "sam", f"#!{sys.executable}\nimport json, sys, time\n{script}\n")
    return SamCli(command, tmp_path / "sam-files", tmp_path / "logs")


def test_an_event_is_handled_with_the_variables_of_the_stack(tmp_path: Path) -> None:
    cli = sam(tmp_path, "print(json.dumps({'said': sys.argv[1:], 'read': open(sys.argv[7]).read()}))")

    answer = cli.invoke("PushFunction", EVENTS / "publish-update.json", {"PushFunction": {"A": "1"}})

    assert answer["said"][:3] == ["local", "invoke", "PushFunction"]
    assert answer["said"][3:5] == ["-e", str(EVENTS / "publish-update.json")]
    assert "--skip-pull-image" in answer["said"]
    assert json.loads(answer["read"]) == {"PushFunction": {"A": "1"}}


@pytest.mark.parametrize("script", ["sys.exit('it broke')", "print('it broke')"])
def test_an_invocation_without_an_answer_says_what_was_printed(tmp_path: Path, script: str) -> None:
    with pytest.raises(SamFailed, match="it broke"):
        sam(tmp_path, script).invoke("PushFunction", EVENTS / "publish-update.json", {})


def test_a_server_that_does_not_start_says_what_was_printed(tmp_path: Path) -> None:
    with (
        pytest.raises(SamFailed, match="it broke"),
        sam(tmp_path, "sys.exit('it broke')").serving("start-api", "a", {}),
    ):
        pass


SERVE = """
import http.server, os
user = json.load(open(sys.argv[-2]))["RegisterFunction"]["LOCAL_USER"]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps([user, os.getpid(), self.path, self.headers["x-said"], body]).encode())
http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""


def test_each_user_has_a_server_that_knows_no_other(tmp_path: Path) -> None:
    api = SamApi(sam(tmp_path, SERVE), lambda user: {"RegisterFunction": {"LOCAL_USER": user}})
    route = Route("PUT", "/v1/devices/{device}", "RegisterFunction", "Jwt")
    request = Request("PUT", "/v1/devices/a%3Ab?x=%20", [("x-said", "this")], b"body")
    try:
        answers = [
            (answer.status, json.loads(answer.body))
            for answer in (
                api.answer(request, route, {}, {"jwt": {"claims": {"sub": user}}}) for user in ("ana", "ben", "ana")
            )
        ]
    finally:
        api.stop()

    assert [status for status, _ in answers] == [200, 200, 200]
    assert [(user, *rest) for _, (user, _pid, *rest) in answers] == [
        (user, "/v1/devices/a%3Ab?x=%20", "this", "body") for user in ("ana", "ben", "ana")
    ]
    assert answers[0][1][1] == answers[2][1][1] != answers[1][1][1]
    with pytest.raises(ProcessLookupError):
        os.kill(answers[0][1][1], 0)


# --- a function behind start-lambda


@pytest.fixture
def lambda_service() -> Iterator[tuple[SamFunction, list[Request], list[Response]]]:
    asked: list[Request] = []
    answers: list[Response] = []

    def answer(request: Request) -> Response:
        asked.append(request)
        return answers.pop()

    server = HttpServer(answer, name="lambda")
    server.start()
    yield SamFunction("PushFunction", server.url, FunctionLog("push")), asked, answers
    server.stop()


def test_a_function_is_invoked_as_lambda_is(
    lambda_service: tuple[SamFunction, list[Request], list[Response]],
) -> None:
    function, asked, answers = lambda_service
    answers.append(Response(200, [], b'{"batchItemFailures": []}'))

    assert function.invoke({"Records": []}) == {"batchItemFailures": []}
    assert (asked[0].method, asked[0].target) == ("POST", "/2015-03-31/functions/PushFunction/invocations")
    assert asked[0].body == b'{"Records": []}'


def test_a_function_may_answer_nothing(lambda_service: tuple[SamFunction, list[Request], list[Response]]) -> None:
    function, _, answers = lambda_service
    answers.append(Response(200, [], b"null"))

    assert function.invoke({}) is None


@pytest.mark.parametrize(
    "answer",
    [
        Response(200, [], b'{"errorMessage": "no", "errorType": "KeyError", "requestId": "", "stackTrace": []}'),
        Response(502, [], b"{}"),
        Response(502, [], b"null"),
        Response(200, [], b"no JSON"),
        Response(200, [], b""),
    ],
)
def test_a_function_that_failed_is_one_that_raised(
    lambda_service: tuple[SamFunction, list[Request], list[Response]], answer: Response
) -> None:
    function, _, answers = lambda_service
    answers.append(answer)

    with pytest.raises(FunctionError, match="PushFunction failed"):
        function.invoke({"Records": []})
