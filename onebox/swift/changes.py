"""Which changes of a schema break phones: those that have the app of before, and those that have the new one."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from lockstep.json_values import JsonObject
from onebox.swift.misfits import Kind, Misfit, misfits
from onebox.swift.schema_parts import Part


class Side(Enum):
    """Whose phones break, and on what."""

    OLD_APP = "the app of before, by what is sent for the new one"
    NEW_APP = "the new app, by what is sent for the one before, and by cards that were started before"
    OWN_CARDS = "the new app, by cards that the app of before made by itself"


@dataclass(frozen=True, slots=True)
class Break:
    """A change that breaks cards."""

    attributes_type: str
    path: str
    change: str
    side: Side
    remedy: str

    def __str__(self) -> str:
        return f"{self.attributes_type}: {self.path}: {self.change}\n  breaks {self.side.value}\n  {self.remedy}"


# A card lives 8 hours, and stays on the lock screen for 4 more.
_UNTIL_OLD_APPS_ARE_GONE = "until no phone has the app of before"
_UNTIL_OLD_CARDS_ARE_GONE = "until every producer has moved and 12 hours have passed, in which the cards of before end"

_REMEDIES = {
    (Kind.MISSING, Side.OLD_APP): f"keep it in the struct, and send it, {_UNTIL_OLD_APPS_ARE_GONE}",
    (Kind.MISSING, Side.NEW_APP): f"make it optional (`?`) {_UNTIL_OLD_CARDS_ARE_GONE}",
    (Kind.NULL, Side.OLD_APP): f"send no null there {_UNTIL_OLD_APPS_ARE_GONE}",
    (Kind.NULL, Side.NEW_APP): f"keep it optional {_UNTIL_OLD_CARDS_ARE_GONE}",
    (Kind.VALUES, Side.OLD_APP): f"send none of the new values {_UNTIL_OLD_APPS_ARE_GONE}",
    (Kind.VALUES, Side.NEW_APP): f"keep the cases {_UNTIL_OLD_CARDS_ARE_GONE}",
    (Kind.TYPE, Side.OLD_APP): f"leave it, add an optional of another name, and send both {_UNTIL_OLD_APPS_ARE_GONE}",
    (Kind.TYPE, Side.NEW_APP): "leave it, and add an optional of another name; take the old one away when no phone has "
    "the app of before",
}

# Push puts these into every start, whatever the struct has. Only cards that an app makes by itself may lack what is optional.
_OURS = {"attributes.activity", "attributes.run"}
_REMEDY_OF_OURS = "leave it as it was, as long as the app makes cards by itself"


def breaks(old: JsonObject, new: JsonObject) -> Iterator[Break]:
    """Yield what breaks when an app of one schema is followed by an app of another; both are ours, or like ours."""
    title = str(old.get("title"))
    before, after = _whole(old), _whole(new)
    for side, written, read in ((Side.OLD_APP, after, before), (Side.NEW_APP, before, after)):
        for misfit in misfits(written, read, ""):
            change = _change(misfit, side)
            if misfit.path in _OURS:
                if side is Side.NEW_APP and misfit.written is not None:
                    yield Break(title, misfit.path, change, Side.OWN_CARDS, _REMEDY_OF_OURS)
                continue
            remedy = _REMEDIES[Kind.TYPE if misfit.kind is Kind.MEANING else misfit.kind, side]
            yield Break(title, misfit.path, change, side, remedy)


def gone(attributes_type: str) -> Iterator[Break]:
    """Yield what breaks when an app no longer has an attributes type."""
    yield Break(
        attributes_type,
        "the struct",
        "is gone, or has another name",
        Side.NEW_APP,
        f"name the file that declares it as well; if none does, keep it {_UNTIL_OLD_CARDS_ARE_GONE}",
    )


def _whole(schema: JsonObject) -> Part:
    definitions = schema.get("$defs")
    return Part.of(schema, definitions if isinstance(definitions, dict) else {})


def _change(misfit: Misfit, side: Side) -> str:
    is_old_app = side is Side.OLD_APP
    old, new = (misfit.read, misfit.written) if is_old_app else (misfit.written, misfit.read)
    match misfit.kind:
        case Kind.MISSING if old is None:
            return "is new, and required"
        case Kind.MISSING if new is None:
            return "is removed, and was required"
        case Kind.MISSING | Kind.NULL:
            return "is optional, and was required" if is_old_app else "is required, and was optional"
        case Kind.VALUES:
            written, read = (part.values if part and part.values else [] for part in (misfit.written, misfit.read))
            named = ", ".join(str(value) for value in written if value not in read)
            return f"has the new value {named}" if is_old_app else f"has lost the value {named}"
    return f"was {old}, is {new}"
