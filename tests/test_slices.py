"""A slice's round: however the row moves meanwhile, each phone hears each state once, and the last one."""

from hypothesis import given
from hypothesis import strategies as st

from lockstep.row import Registers, Row
from lockstep.slices import Slice, ancestors, children, estimate, share

PHONES = [f"{n:02x}" for n in range(0, 256, 23)]


def row(revision: int, first_run: int = 7) -> Row:
    return Row("match", Registers(), first_run=first_run, revision=revision)


def page_of(one: Slice, size: int) -> tuple[list[str], str]:
    """What a read after the cursor yields: phones, and the last of them, empty where the range is read to its end."""
    bounded = one.until != one.prefix
    left = [p for p in PHONES if p > one.cursor and (not bounded or p <= one.until)]
    page = left[:size]
    return page, page[-1] if len(left) > size or bounded else ""


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), max_size=60))
def test_each_phone_hears_each_state_once_and_the_last_one_in_the_end(steps: list[tuple[int, bool]]) -> None:
    revision, one = 1, Slice("")
    heard: dict[str, list[int]] = {phone: [] for phone in PHONES}
    for size, moves in [*steps, *[(3, False)] * 20]:
        revision += moves
        one = one.aims_at(row(revision), served=0)
        if one.done:
            continue
        page, last = page_of(one, size)
        for phone in page:
            # An alert rings for who had less: what is said of phones must not be more than they have.
            assert one.served <= (heard[phone][-1] if heard[phone] else 0)
            heard[phone].append(revision)
        one = one.after(last, row(revision))

    assert one.done
    for states in heard.values():
        assert states == sorted(set(states)), "one was heard twice, or an old one late"
        assert states[-1] == revision


@given(st.lists(st.integers(1, 5), min_size=12, max_size=30))
def test_nobody_starves_while_the_row_moves_before_every_page(sizes: list[int]) -> None:
    one = Slice("")
    heard: dict[str, int] = dict.fromkeys(PHONES, 0)
    for revision, size in enumerate(sizes, 1):
        one = one.aims_at(row(revision), served=0)
        page, last = page_of(one, size)
        for phone in page:
            heard[phone] += 1
        one = one.after(last, row(revision))

    assert min(heard.values()) >= 1
    assert max(heard.values()) - min(heard.values()) <= 1


def test_a_slice_of_another_row_of_that_name_is_begun_anew() -> None:
    one = Slice("3", born=7, served=5, revision=9, cursor="3a", done=True, started="x")

    assert one.aims_at(row(2, first_run=8), served=0) == Slice("3", born=8, revision=2)
    assert one.aims_at(row(2), served=1) == Slice("3", born=7, served=1, revision=2)


def test_a_slice_that_is_done_may_split_at_the_next_state_and_no_sooner() -> None:
    one = Slice("3").aims_at(row(1), served=0)
    assert one.may_split

    one = one.after("3a", row(1))
    assert not one.may_split
    assert not one.aims_at(row(2), served=0).may_split

    done = one.after("", row(1))
    assert done.done
    assert done.aims_at(row(2), served=0) == Slice("3", born=7, served=1, revision=2)


def test_sixteen_children_make_up_a_slice() -> None:
    assert children("3")[0] == "30"
    assert children("3")[-1] == "3f"
    assert len(children("")) == 16
    assert ancestors("3af") == ["", "3", "3a"]


def test_the_shares_of_slices_that_make_up_an_audience_add_up() -> None:
    parts = [*children("3"), *(one for one in children("") if one != "3")]

    assert sum(map(share, parts)) == share("") == 1


def test_an_audience_is_estimated_from_its_first_page() -> None:
    assert estimate("", 1000, "7f" + "f" * 30) == 2000
    assert estimate("3", 1000, "30" + "f" * 30) == 16000
    assert estimate("3", 1000, "3" + "f" * 31) == 1000
