"""
moto made fit for a hundred thousand items; what it answers stays the same, and a test holds that.

moto looks at every item of a table for each page of a Query, and spells each attribute of an answer by AWS's model of
answers: some 100 µs per item stored, and 1.5 ms per item read. Real tables do neither.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

# moto must be imported before any boto3 client is made.
from moto.core import serialize
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import Table

from lockstep.dynamodb import Item
from onebox.lambda_runtime import ACCOUNT


@contextmanager
def quick_moto() -> Iterator[None]:
    """Let moto, in this process, look only at what a Query asks for, and write attributes as they are stored."""
    # Their methods are not made to be changed.
    table: Any = Table
    serializer: Any = serialize.BaseJSONSerializer
    query, structure = table.query, serializer._serialize_type_structure

    def quick_query(
        self: Any,
        hash_key: Any,
        comparison: Any,
        values: Any,
        limit: Any,
        start: Any,
        forward: Any,
        projections: Any,
        index: Any,
        *more: Any,
        **others: Any,
    ) -> Any:
        if index:
            candidates = _by_index(self, others.get("hash_key_conditions") or ())
        else:
            candidates = _of_range(self.items.get(hash_key, {}), comparison, values)
            if limit and forward and not start:
                # moto needs to see that there is more.
                candidates = sorted(candidates, key=lambda item: item.range_key.value)[: limit + 1]
        # One request at a time: nobody else looks at the table meanwhile.
        self.all_items = lambda: candidates
        try:
            return query(self, hash_key, comparison, values, limit, start, forward, projections, index, *more, **others)
        finally:
            del self.all_items

    def quick_structure(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name == "AttributeValue" and type(value) is dict:
            serialized[key] = value
        else:
            structure(self, serialized, value, shape, key)

    table.query, serializer._serialize_type_structure = quick_query, quick_structure
    try:
        yield
    finally:
        table.query, serializer._serialize_type_structure = query, structure


def _of_range(items: dict[Any, Any], comparison: str | None, values: Any) -> list[Any]:
    if comparison != "BETWEEN":
        return list(items.values())
    first, last = (value.value for value in values)
    return [item for key, item in items.items() if first <= key.value <= last]


def _by_index(table: Any, wanted: Any) -> list[Any]:
    found = [item for items in table.items.values() for item in items.values()]
    for name, value in wanted:
        found = _having(found, name, value.value)
    return found


def _having(items: list[Any], name: str, value: Any) -> list[Any]:
    return [item for item in items if (stored := item.attrs.get(name)) is not None and stored.value == value]


def fill(table: str, items: Iterable[Item]) -> None:
    """Put items into a table of the moto in this process, past HTTP: a hundred thousand would take minutes."""
    [stored] = [backend.tables[table] for backend in dynamodb_backends[ACCOUNT].values() if table in backend.tables]
    for item in items:
        stored.put_item(dict(item), overwrite=True)
