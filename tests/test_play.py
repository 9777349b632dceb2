"""The promises, against a world that tries to break them. `make torture` plays for longer."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from onebox.stack import Stack
from tests.play.outside import Outside
from tests.play.story import play
from tests.play.world import World, playing
from tests.recording import Told, of_run

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def outside() -> Outside:
    return Outside()


@pytest.fixture(scope="module")
def begin(tmp_path_factory: pytest.TempPathFactory, outside: Outside) -> Iterator[Callable[[], World]]:
    folder = tmp_path_factory.mktemp("play")
    with Stack(folder, polling=False) as stack, playing(stack, outside, folder / "previous") as begin:
        yield begin


def test_make_torture_finds_all_that_it_imports() -> None:
    # `make test` itself says of its shell that it is make's.
    environment = {name: os.environ[name] for name in os.environ.keys() - {"PYTHONPATH", "MAKEFLAGS", "MAKELEVEL"}}
    made = subprocess.run(
        ["make", "-n", "torture"], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    command = made.stdout.splitlines()[-1].replace(".venv/bin/python", sys.executable)

    ran = subprocess.run(["bash", "-c", f"{command} --help"], cwd=ROOT, env=environment, capture_output=True, text=True)

    assert ran.returncode == 0, ran.stderr
    assert "--duration-s" in ran.stdout


# A seed for each core, and as many plays of each as two minutes take. An odd seed's audiences are in slices.
PLAYS = {1: 10, 2: 45}


def test_every_promise_holds_whatever_the_world_does(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    """A seed that fails says which story broke what; `make torture SEED=N PLAYS=…` plays it alone."""
    command = [sys.executable, "-m", "tests.play.torture"]
    # As make calls it: what it needs is on no path yet.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    runs = [
        subprocess.Popen(
            [*command, "--seed", str(seed), "--plays", str(plays), "--recorded", str(tmp_path / str(seed))],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed, plays in PLAYS.items()
    ]
    said = [run.communicate()[0] for run in runs]
    for seed in PLAYS:
        of_run(pytestconfig).add(Told.from_text((tmp_path / str(seed)).read_text()))

    assert [run.returncode for run in runs] == [0, 0], "\n".join(said)
    assert all(f"{plays} plays" in one for plays, one in zip(PLAYS.values(), said, strict=True))


def test_a_calm_story_ends_with_every_phone_up_to_date(begin: Callable[[], World]) -> None:
    world = play(begin, [("update", ("order-1", True, 0)), ("burst", ("order-1", 4)), ("turn", ())])

    assert not world.lossy
    assert [phone.shows("order-1") for phone in world.phones[:2]] == [{"at": world.activities["order-1"].state}] * 2
    assert world.phones[2].shows("order-1") is None, "a stranger's phone"


def test_who_takes_over_a_phone_is_started_what_the_user_before_them_swiped_away(begin: Callable[[], World]) -> None:
    world = play(begin, [("ten minutes", ()), ("swipe", (2, "order-2")), ("change user", (2, "ben"))])

    assert len(world.phones[2].starts("order-2")) == 2
    assert world.phones[2].shows("order-2") == {"at": world.activities["order-2"].state}


def test_functions_do_die_and_calls_do_fail(begin: Callable[[], World], outside: Outside) -> None:
    before = outside.crashes.total()
    play(begin, [("crash", ("after", 1)), ("throttle", (3,)), ("update", ("order-1", False, 0)), ("turn", ())])

    assert outside.crashes.total() > before
    assert outside.met["throttling"] >= 1
