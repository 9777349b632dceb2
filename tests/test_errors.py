"""The tree of errors: as it is drawn, and what an error says of itself."""

import re

from lockstep import errors
from lockstep.errors import Forbidden, InvalidInput, LockstepError


def drawn() -> dict[str, str]:
    """Return each error of the drawing with the one it hangs on."""
    tree: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        if node := re.match(r"([│├└─ ]*)([A-Z]\w+)(?: {2,}|$)", line):
            depth, name = len(node[1]), node[2]
            above = [(other, parent) for other, parent in above if other < depth]
            tree[name] = above[-1][1] if above else "Exception"
            above.append((depth, name))
    return tree


def test_the_tree_is_as_it_is_drawn() -> None:
    found = {
        one.__name__: one.__bases__[0].__name__
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, LockstepError)
    }

    assert drawn() == found


def test_bad_input_says_where_and_what() -> None:
    error = InvalidInput("aps.content-state", "must be an object")

    assert (error.field, error.message) == ("aps.content-state", "must be an object")
    assert str(error) == "aps.content-state: must be an object"


def test_what_is_forbidden_says_so_too() -> None:
    assert Forbidden("activity", "has no such guest").field == "activity"
