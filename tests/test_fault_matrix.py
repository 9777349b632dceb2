"""What becomes of pushes when the way to APNs is rough: what docs/engine-faults.md says, for every fault and kind."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockstep.apns import Outcome, Push
from lockstep.provider_token import GRID_S
from onebox.apns.simulator import ApnsSimulator
from tests.engine_side import Clock, hold, kinds, pushes, send, simulator_in, taken
from tests.fault_cases import CASES, Scene, Way

DOCUMENT = Path(__file__).parent.parent / "docs" / "engine-faults.md"
KINDS = {"starts": True, "updates": False}
MIDWAY = 200


def table() -> dict[tuple[str, str], dict[str, str]]:
    """Read the document's last table: by fault and kind of push the other cells, each by its column."""
    lines = DOCUMENT.read_text().rstrip().rpartition("\n\n")[2].splitlines()
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    cells = {(row[0], row[1]): dict(zip(head[2:], row[2:], strict=True)) for row in rows}
    assert len(cells) == len(rows), "no row is there twice"
    return cells


def allows(cell: str, number: int) -> bool:
    match cell.split():
        case [least, "to", most]:
            return int(least) <= number <= int(most)
        case [exactly]:
            return number == int(exactly)
    raise ValueError(f"neither a number nor bounds: {cell}")


@pytest.fixture(scope="module")
def apples_clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory, apples_clock: Clock) -> Iterator[ApnsSimulator]:
    with simulator_in(tmp_path_factory.mktemp("apns"), clock=apples_clock) as simulator:
        yield simulator


@pytest.fixture
def scene(apple: ApnsSimulator, apples_clock: Clock) -> Scene:
    """Begin two minutes after a new provider token, so that none changes but where a case wants it."""
    clock = Clock()
    clock.ahead_s = apples_clock.ahead_s = 120 - time.time() % GRID_S
    return Scene(apple, apples_clock, clock)


def send_all(way: Way, wanted: list[Push]) -> dict[object, Outcome]:
    """Send, with what happens midway; see that every push has exactly one outcome."""

    def source() -> Iterator[Push]:
        for number, push in enumerate(wanted):
            if number == MIDWAY:
                way.midway()
            yield push

    answered = list(way.engine.send(source(), deadline_s=way.engine.now() + 30))
    assert Counter(push.ref for push, _ in answered) == Counter(push.ref for push in wanted)
    return {push.ref: outcome for push, outcome in answered}


def several(times: Counter[str]) -> int:
    return sum(count > 1 for count in times.values())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", CASES)
def test_what_becomes_of_pushes_is_what_the_table_says(fault: str, kind: str, scene: Scene) -> None:
    apple, cells = scene.apple, table()[fault, kind]
    wanted = pushes(apple, int(cells["in"]), once=KINDS[kind])

    with CASES[fault](scene) as way:
        made = way.connections()
        outcomes = send_all(way, wanted)
        connections = way.connections() - made
        assert way.struck(), "the fault was met"

        came = apple.pushes
        apple.faults.clear()
        scene.clock.ahead_s = scene.apples_clock.ahead_s
        assert not way.mends or kinds(send(way.engine, pushes(apple, 5))) == {"Accepted": 5}

    counted = kinds(outcomes)
    counts = {
        "in": len(wanted),
        "accepted": counted["Accepted"],
        "rejected": counted["Rejected"],
        "not taken": counted["Unanswered(False)"],
        "perhaps taken": counted["Unanswered(True)"],
        "taken twice": several(taken(apple)),
        "sent twice": several(Counter(push.token for push in came)),
        "connections": connections,
    }
    assert sum(counted.values()) == len(wanted)
    hold(outcomes, wanted, apple)
    assert {column: count for column, count in counts.items() if not allows(cells[column], count)} == {}


def test_the_table_has_a_row_for_every_fault_and_kind_and_no_other() -> None:
    assert list(table()) == [(fault, kind) for fault in CASES for kind in KINDS]
