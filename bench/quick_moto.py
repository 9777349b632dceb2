"""
moto made fit for a hundred thousand items; what it answers stays the same, and a test holds that.

moto looks at every item of a table for each page of a Query, and spells each attribute of an answer by AWS's model of
answers: some 100 µs per item stored, and 1.5 ms per item read. Real tables do neither.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

# moto must be imported before any boto3 client is made.
from moto.core import serialize
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

from lockstep.dynamodb import Item
from onebox.lambda_runtime import ACCOUNT

# Their methods are not made to be changed.
_table: Any = Table
_serializer: Any = serialize.BaseJSONSerializer


def _methods() -> tuple[Any, Any, Any, Any]:
    return _table.query, _table.put_item, _table.delete_item, _serializer._serialize_type_structure


def _have(methods: tuple[Any, Any, Any, Any]) -> None:
    _table.query, _table.put_item, _table.delete_item, _serializer._serialize_type_structure = methods


_PLAIN = _methods()


@contextmanager
def plain_moto() -> Iterator[None]:
    """Let moto be as it comes, for reading: what is written meanwhile may be missed by a quick one afterwards."""
    had = _methods()
    _have(_PLAIN)
    try:
        yield
    finally:
        _have(had)


@contextmanager
def quick_moto() -> Iterator[None]:
    """Let moto, in this process, look only at what a Query asks for, and write attributes as they are stored."""
    if _methods() != _PLAIN:
        yield
        return
    query, put, delete, structure = _PLAIN
    keys = _Keys()

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
        elif comparison == "BETWEEN":
            # moto needs to see that there is more than its limit.
            most = limit + 1 if limit and forward and not start else None
            candidates = keys.between(self, hash_key, *(value.value for value in values), most=most)
        else:
            candidates = list(self.items.get(hash_key, {}).values())
        # One request at a time: nobody else looks at the table meanwhile.
        self.all_items = lambda: candidates
        try:
            return query(self, hash_key, comparison, values, limit, start, forward, projections, index, *more, **others)
        finally:
            del self.all_items

    def quick_put(self: Any, *item: Any, **how: Any) -> Any:
        stored = put(self, *item, **how)
        keys.add(self, stored.hash_key, stored.range_key)
        return stored

    def quick_delete(self: Any, hash_key: Any, range_key: Any) -> Any:
        keys.remove(self, hash_key, range_key)
        return delete(self, hash_key, range_key)

    def quick_structure(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name == "AttributeValue" and type(value) is dict:
            serialized[key] = value
        else:
            structure(self, serialized, value, shape, key)

    _have((quick_query, quick_put, quick_delete, quick_structure))
    try:
        yield
    finally:
        _have(_PLAIN)


class _Keys:
    """The sort keys of each partition that was asked for, in order."""

    def __init__(self) -> None:
        self._sorted: dict[tuple[int, str], list[str]] = {}

    def between(self, table: Any, hash_key: Any, first: str, last: str, *, most: int | None) -> list[Any]:
        """Return the items of a range, as many as are wanted."""
        items = table.items.get(hash_key, {})
        where = (id(table), hash_key.value)
        if where not in self._sorted:
            self._sorted[where] = sorted(key.value for key in items)
        keys = self._sorted[where]
        begin, end = bisect_left(keys, first), bisect_right(keys, last)
        if most is not None:
            end = min(end, begin + most)
        return [items[DynamoType({"S": key})] for key in keys[begin:end]]

    def add(self, table: Any, hash_key: Any, range_key: Any) -> None:
        """Note an item that was put."""
        keys = self._sorted.get((id(table), hash_key.value))
        if keys is not None:
            at = bisect_left(keys, range_key.value)
            if keys[at : at + 1] != [range_key.value]:
                keys.insert(at, range_key.value)

    def remove(self, table: Any, hash_key: Any, range_key: Any) -> None:
        """Note that an item is deleted, if it is there."""
        keys = self._sorted.get((id(table), hash_key.value), [])
        at = bisect_left(keys, range_key.value)
        if keys[at : at + 1] == [range_key.value]:
            del keys[at]


def _by_index(table: Any, wanted: Any) -> list[Any]:
    found = [item for items in table.items.values() for item in items.values()]
    for name, value in wanted:
        found = _having(found, name, value.value)
    return found


def _having(items: list[Any], name: str, value: Any) -> list[Any]:
    return [item for item in items if (stored := item.attrs.get(name)) is not None and stored.value == value]


def fill(table: str, items: Iterable[Item]) -> None:
    """Put items into a table of the moto in this process, past HTTP: a hundred thousand would take minutes."""
    stored = _stored(table)
    for item in items:
        stored.put_item(dict(item), overwrite=True)


def held(table: str, key: Item) -> Item:
    """Read an item of a table in the same way; empty where there is none."""
    stored = _stored(table)
    hash_key, range_key = (DynamoType({**key[name]}) for name in (stored.hash_key_attr, stored.range_key_attr))
    item: Any = stored.items.get(hash_key, {}).get(range_key)
    attributes: Any = {} if item is None else {name: {one.type: one.value} for name, one in item.attrs.items()}
    return dict(attributes)


def _stored(name: str) -> Any:
    [stored] = [backend.tables[name] for backend in dynamodb_backends[ACCOUNT].values() if name in backend.tables]
    return stored
