"""What apps can decode: a JSON Schema for each attributes type that has one, and publishes held against it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

from lockstep.errors import Misconfigured
from lockstep.ids import is_id
from lockstep.json_values import JsonObject

if TYPE_CHECKING:
    from lockstep.schema_file import SchemaFile

_SUFFIX = ".json"


class Schemas:
    """The schemas of a folder, by attributes type; where there are none, all that could check by them is not even imported."""

    def __init__(self, files: "Mapping[str, SchemaFile] | None" = None) -> None:
        self._files = files or {}

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """
        Read every `<AttributesType>.json` in a folder; what else is in it doesn't matter.

        Raises:
            Misconfigured: There is no such folder, or a file in it is no schema that we could check by; the message names it.
        """
        if not folder.is_dir():
            raise Misconfigured(f"{folder} is no folder")
        paths = sorted(path for path in folder.iterdir() if path.suffix == _SUFFIX)
        if not paths:
            return cls()
        from lockstep.schema_file import SchemaFile

        for path in paths:
            if not is_id(path.stem):
                raise Misconfigured(f"{path.name} is not named for an attributes type")
        return cls({path.stem: SchemaFile.read(path) for path in paths})

    @property
    def attributes_types(self) -> frozenset[str]:
        """Those that have a schema."""
        return frozenset(self._files)

    def check(
        self, attributes_type: str | None, attributes: JsonObject | None, content_state: JsonObject | None
    ) -> None:
        """
        Refuse what an app of this type could not decode; a type without a schema takes anything.

        Args:
            attributes: As the phone gets them, with `activity` and `run`; None to leave them unchecked.
            content_state: None to leave it unchecked.

        Raises:
            InvalidInput: The field is the path of what doesn't fit, such as `aps.content-state.driver.name`. Neither it nor
                the message holds anything that the schema doesn't.
        """
        file = self._files.get(attributes_type or "")
        if file is None:
            return
        if attributes is not None:
            file.check("attributes", attributes)
        if content_state is not None:
            file.check("content-state", content_state)
