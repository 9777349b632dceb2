"""The first thing that anybody runs: finding a Python, setting .venv up, and what make says by itself."""

import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from onebox.environment import variables
from onebox.progress import Progress
from ops.install import ADVICE, install
from tests.signals import heard

ROOT = Path(__file__).parent.parent


# --- finding a Python


def python_of(folder: Path, name: str, version: str) -> Path:
    """Put a program there that says it is a Python of this version, as far as it is asked."""
    right = 0 if version.startswith("3.13") else 1
    path = folder / name
    path.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then echo "Python {version}"; else exit {right}; fi\n')
    path.chmod(0o755)
    return path


def find_python(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Look for one where there is nothing but what the test put there, and what a shell needs."""
    for name in ("head", "grep"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    return subprocess.run(
        ["/bin/sh", ROOT / "ops" / "find-python", *arguments],
        cwd=tmp_path,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("name", ["python3.13", "python3", "python"])
def test_a_python_is_found_under_any_of_its_names(tmp_path: Path, name: str) -> None:
    python_of(tmp_path, name, "3.13.1")

    assert find_python(tmp_path).stdout == f"{name}\n"


def test_one_that_uv_has_is_found_and_none_is_fetched(tmp_path: Path) -> None:
    python = python_of(tmp_path, "hidden", "3.13.1")
    uv = tmp_path / "uv"
    uv.write_text(f'#!/bin/sh\n[ "$UV_PYTHON_DOWNLOADS $*" = "never python find 3.13" ] && echo {python}\n')
    uv.chmod(0o755)

    assert find_python(tmp_path).stdout == f"{python}\n"


def test_where_there_is_none_it_is_said_what_was_found_and_how_to_get_one(tmp_path: Path) -> None:
    python_of(tmp_path, "python3", "3.11.2")

    found = find_python(tmp_path)

    assert (found.returncode, found.stdout) == (2, "")
    assert f"Found: Python 3.11.2, {tmp_path}/python3." in found.stderr
    assert "uv python install 3.13" in found.stderr
    assert "make demo PYTHON=/path/to/python3.13" in found.stderr


@pytest.mark.parametrize(
    ("program", "advice"),
    [("uv", "uv python install 3.13"), ("pyenv", "pyenv install 3.13"), ("brew", "brew install python@3.13")],
)
def test_the_advice_is_for_what_the_person_has(tmp_path: Path, program: str, advice: str) -> None:
    (tmp_path / program).write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / program).chmod(0o755)

    found = find_python(tmp_path)

    assert "Found: none." in found.stderr
    assert found.stderr.splitlines()[2:] == [f"  {advice}"]


@pytest.mark.parametrize(("named", "words"), [("python3.12", "Python 3.12.4"), ("python9", "no such program")])
def test_a_python_that_is_named_and_is_another_is_refused(tmp_path: Path, named: str, words: str) -> None:
    python_of(tmp_path, "python3.12", "3.12.4")
    python_of(tmp_path, "python3.13", "3.13.0")

    found = find_python(tmp_path, named)

    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == f"PYTHON={named} is no Python 3.13: {words}\n"


# --- setting up


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a virtual environment with pip, once: that takes seconds."""
    folder = tmp_path_factory.mktemp("set-up") / "venv"
    venv.create(folder, with_pip=True)
    return folder


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """Return a folder with the one package that is pinned here."""
    info = "lockstep_a_package-1.0.dist-info"
    with zipfile.ZipFile(tmp_path / "lockstep_a_package-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("lockstep_a_package.py", "")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: lockstep-a-package\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return tmp_path


def command(folder: Path, pins: Path) -> list[str]:
    return [sys.executable, "-m", "ops.install", str(folder), str(pins)]


def pip_of(**settings: str) -> dict[str, str]:
    """Return the variables of a person whose pip is set up by these alone."""
    return {"PATH": os.environ["PATH"], "HOME": "/nowhere", "PIP_CONFIG_FILE": os.devnull, **settings}


def set_up(folder: Path, pins: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(folder, pins), cwd=ROOT, env=pip_of(**settings), capture_output=True, text=True)


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    path = tmp_path / "pins.txt"
    path.write_text("lockstep-a-package==1.0\n")
    return path


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """Return pins of what no index has."""
    path = tmp_path / "pins-of-nothing.txt"
    path.write_text("lockstep-no-package==1.0\n")
    return path


def test_setting_up_says_what_it_does_and_once_more_mends_what_was_half_done(
    environment: Path, pins: Path, wheels: Path
) -> None:
    local = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}

    first = set_up(environment, pins, **local)

    assert (first.returncode, first.stderr) == (0, "")
    said = first.stdout.splitlines()
    assert said[1:3] == ["  finding 1 packages", "  installing 1 packages"]
    assert re.fullmatch(r"  done in \d+ s", said[3])
    [module] = environment.rglob("lockstep_a_package.py")
    # As when pip is stopped in the middle: what it was putting in counts as there.
    module.unlink()
    (environment / "half-done").touch()
    assert set_up(environment, pins, **local).returncode == 0
    assert module.exists()
    assert not (environment / "half-done").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"PIP_NO_INDEX": "1"}, "PIP_INDEX_URL=https://…"),
        ({"PIP_INDEX_URL": "http://127.0.0.1:9", "PIP_RETRIES": "1"}, "PyPI can't be reached. Behind a proxy"),
    ],
    ids=["not there", "no network"],
)
def test_a_package_that_cannot_be_had_is_told_by_what_to_do(
    environment: Path, nowhere: Path, settings: dict[str, str], words: str
) -> None:
    ran = set_up(environment, nowhere, **settings)

    assert ran.returncode == 1
    assert words in ran.stderr
    assert "pip.log" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert len(ran.stderr.splitlines()) <= 3


@pytest.fixture
def silent_index() -> Iterator[socket.socket]:
    """Listen as an index does that takes a request and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener


def test_ctrl_c_stops_pip_too_and_says_how_to_go_on(
    environment: Path, nowhere: Path, silent_index: socket.socket
) -> None:
    index = f"http://127.0.0.1:{silent_index.getsockname()[1]}"
    with heard(signal.SIGINT):
        process = subprocess.Popen(
            command(environment, nowhere), cwd=ROOT, env=pip_of(PIP_INDEX_URL=index), stderr=subprocess.PIPE, text=True
        )
    connection, _ = silent_index.accept()

    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)

    # Nobody holds the other end any more.
    connection.settimeout(10)
    while connection.recv(4096):
        pass
    connection.close()
    assert process.returncode == 130
    assert said == "\nStopped. Say the same again to go on from here.\n"


class Impatient(Progress):
    """Somebody who presses Ctrl-C as soon as pip has found a package."""

    def now(self, text: str) -> None:
        if "lockstep-a-package" in text:
            raise KeyboardInterrupt


def test_a_pip_that_does_not_stop_is_killed(tmp_path: Path, pins: Path) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\ntrap '' INT\necho Collecting lockstep-a-package\nexec sleep 5\n")
    python.chmod(0o755)

    with pytest.raises(KeyboardInterrupt):
        install(python, pins, Impatient(io.StringIO()), io.StringIO(), stop_s=0.1)


def test_a_python_without_its_venv_module_is_told_which_package_has_it(tmp_path: Path, pins: Path) -> None:
    """As Debian ships it, whose venv module says so in these words."""
    broken = tmp_path / "without"
    broken.mkdir()
    (broken / "venv.py").write_text(
        "print('The virtual environment was not created successfully because ensurepip is not\\navailable.')\nexit(1)\n"
    )

    ran = set_up(tmp_path / "venv", pins, PYTHONPATH=str(broken))

    assert ran.returncode == 1
    assert "sudo apt install python3.13-venv" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_an_environment_of_another_python_is_not_touched(tmp_path: Path, pins: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho 3.12\n")
    python.chmod(0o755)

    ran = set_up(tmp_path / "venv", pins)

    assert ran.returncode == 1
    assert "is of Python 3.12, and Lockstep needs 3.13. Remove it: make clean" in ran.stderr


@pytest.mark.parametrize(
    ("pip_says", "words"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "PIP_CERT="),
        (
            "NewConnectionError: [Errno -3] Temporary failure in name resolution\nNo matching distribution",
            "HTTPS_PROXY=",
        ),
        ("error: subprocess-exited-with-error", "no wheel"),
    ],
)
def test_what_pip_says_has_an_answer(pip_says: str, words: str) -> None:
    assert words in next(advice for pattern, advice in ADVICE.items() if re.search(pattern, pip_says))


class Terminal(io.StringIO):
    """A terminal that remembers what was drawn on it."""

    def isatty(self) -> bool:
        return True


def drawn(out: io.StringIO, **environ: str | None) -> str:
    with variables({"TERM": "xterm", "CI": None, **environ}):
        progress = Progress(out)
        progress.says("finding 2 packages")
        progress.now("1 of 2")
        progress.done("done")
    return out.getvalue()


def test_progress_is_drawn_anew_on_a_terminal_alone() -> None:
    plain = "  finding 2 packages\n  done\n"

    assert drawn(io.StringIO()) == plain
    assert drawn(Terminal(), TERM="dumb") == plain
    assert drawn(Terminal(), CI="true") == plain
    assert drawn(Terminal()).endswith("\r\033[K  done\n")
    assert "1 of 2" in drawn(Terminal())


# --- make


def make(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *arguments], cwd=ROOT, env={"PATH": os.environ["PATH"], **environ}, capture_output=True, text=True
    )


def test_make_alone_names_what_a_newcomer_needs_first_and_every_target_that_is_described() -> None:
    printed = make().stdout
    makefile = (ROOT / "Makefile").read_text()

    lines = printed.splitlines()
    assert [line.split()[1] for line in lines[3:6]] == ["demo", "up", "test"]
    described = re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE)
    assert sorted(re.findall(r"^  make ([a-z-]+) ", printed, re.MULTILINE)) == sorted(described)
    assert max(map(len, lines)) <= 80


def test_whoever_has_no_docker_hears_so_before_anything_is_built() -> None:
    for target in (["demo", "FUNCTIONS=sam"], ["up", "FUNCTIONS=sam"], ["sam-local"]):
        planned = make("--dry-run", *target).stdout

        assert 0 < planned.index("onebox --sam .venv/sam/bin/sam docker") < planned.index("compileall")


def test_whoever_has_no_sam_cli_is_told_of_the_one_that_built(tmp_path: Path) -> None:
    last = make("--dry-run", "build").stdout.splitlines()[-1]

    def said() -> str:
        shell = [str(shutil.which("bash")), "-euc", last]
        return subprocess.run(shell, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True).stdout

    assert ".venv/sam/bin/sam deploy --guided" in said()
    (tmp_path / "sam").write_text("")
    (tmp_path / "sam").chmod(0o755)
    assert said() == ""


@pytest.mark.parametrize(
    ("said", "told"), [("STATE=1", True), ("STATE=0", False), ("STATE=", False), ("STATE=no", False)]
)
def test_a_content_state_is_told_to_whoever_says_1_alone(said: str, told: bool) -> None:
    planned = make("--dry-run", "explain", "ACTIVITY=order-42", said).stdout

    assert ("--state" in planned) is told
