"""
moto made fit for a hundred thousand items; what it answers stays the same, and a test holds that.

moto looks at every item of a table for each page of a Query, and spells each attribute of an answer by AWS's model of
answers: some 100 µs per item stored, and 1.5 ms per item read; of an item of which some attributes are wanted it makes a
dictionary for each of them. For each request it lists the folders of all services, to find whose it is: 0.3 to 0.7 ms. Real
tables do none of that.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

# moto must be imported before any boto3 client is made.
from moto.core import serialize
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.dynamo_type import Item as StoredItem
from moto.dynamodb.models.table import Table
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.sqs.models import sqs_backends

from lockstep.dynamodb import Item
from onebox.lambda_runtime import ACCOUNT

# Their methods are not made to be changed.
_PLACES: list[tuple[Any, str]] = [
    (Table, "query"),
    (Table, "put_item"),
    (Table, "delete_item"),
    (DynamoDBBackend, "update_item"),
    (serialize.BaseJSONSerializer, "_serialize_type_structure"),
    (StoredItem, "project"),
    (DomainDispatcherApplication, "get_backend_for_host"),
]


def _methods() -> list[Any]:
    return [getattr(owner, name) for owner, name in _PLACES]


def _have(methods: Iterable[Any]) -> None:
    for (owner, name), method in zip(_PLACES, methods, strict=True):
        setattr(owner, name, method)


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
    query, put, delete, update, structure, project, backend_for_host = _PLAIN
    backends: dict[Any, Any] = {}

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
            candidates = _Values.of(self).having(others.get("hash_key_conditions") or ())
        elif comparison == "BETWEEN":
            # moto needs to see that there is more than its limit.
            most = limit + 1 if limit and forward and not start else None
            candidates = _Keys.of(self).between(hash_key, *(value.value for value in values), most=most)
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
        _Keys.of(self).add(stored.hash_key, stored.range_key)
        _Values.of(self).note(stored)
        return stored

    def quick_delete(self: Any, hash_key: Any, range_key: Any) -> Any:
        _Keys.of(self).remove(hash_key, range_key)
        return delete(self, hash_key, range_key)

    def quick_update(self: Any, table_name: str, *how: Any, **more: Any) -> Any:
        stored = update(self, table_name, *how, **more)
        _Values.of(self.tables[table_name]).note(stored)
        return stored

    def quick_structure(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name == "AttributeValue" and type(value) is dict:
            serialized[key] = value
        else:
            structure(self, serialized, value, shape, key)

    def quick_project(self: Any, wanted: Iterable[list[str]]) -> Any:
        if any(len(path) > 1 for path in wanted):
            return project(self, wanted)
        attributes = {name: self.attrs[name].to_json() for (name,) in wanted if name in self.attrs}
        return StoredItem(self.hash_key, self.range_key, attributes)

    def quick_backend(self: Any, host: Any) -> Any:
        if host not in backends:
            backends[host] = backend_for_host(self, host)
        return backends[host]

    _have((quick_query, quick_put, quick_delete, quick_update, quick_structure, quick_project, quick_backend))
    try:
        yield
    finally:
        _have(_PLAIN)


class _Keys:
    """The sort keys of each partition of a table that was asked for, in order."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self._sorted: dict[str, list[str]] = {}

    @staticmethod
    def of(table: Any) -> "_Keys":
        """Return what is kept with a table, for as long as there is that table."""
        found: _Keys = table.__dict__.setdefault("quick_keys", _Keys(table))
        return found

    def between(self, hash_key: Any, first: str, last: str, *, most: int | None) -> list[Any]:
        """Return the items of a range, as many as are wanted."""
        items = self._table.items.get(hash_key, {})
        if hash_key.value not in self._sorted:
            self._sorted[hash_key.value] = sorted(key.value for key in items)
        keys = self._sorted[hash_key.value]
        begin, end = bisect_left(keys, first), bisect_right(keys, last)
        if most is not None:
            end = min(end, begin + most)
        return [items[DynamoType({"S": key})] for key in keys[begin:end]]

    def add(self, hash_key: Any, range_key: Any) -> None:
        """Note an item that was put."""
        keys = self._sorted.get(hash_key.value)
        if keys is not None:
            at = bisect_left(keys, range_key.value)
            if keys[at : at + 1] != [range_key.value]:
                keys.insert(at, range_key.value)

    def remove(self, hash_key: Any, range_key: Any) -> None:
        """Note that an item is deleted, if it is there."""
        keys = self._sorted.get(hash_key.value, [])
        at = bisect_left(keys, range_key.value)
        if keys[at : at + 1] == [range_key.value]:
            del keys[at]


class _Values:
    """Which items of a table had which value of an attribute that an index is by; what they have now is looked at."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self._keys: dict[str, dict[Any, dict[tuple[Any, Any], None]]] = {}

    @staticmethod
    def of(table: Any) -> "_Values":
        """Return what is kept with a table, for as long as there is that table."""
        found: _Values = table.__dict__.setdefault("quick_values", _Values(table))
        return found

    def having(self, wanted: Iterable[tuple[str, Any]]) -> list[Any]:
        """Return the items with these values."""
        (name, value), *others = wanted
        if name not in self._keys:
            self._keys[name] = {}
            for items in self._table.items.values():
                for item in items.values():
                    self._note(name, item)
        keys = self._keys[name].get(value.value, {})
        found = [self._table.items.get(hash_key, {}).get(range_key) for hash_key, range_key in keys]
        every = [(name, value), *others]
        return [item for item in found if item is not None and all(_has(item, *one) for one in every)]

    def note(self, item: Any) -> None:
        """Note an item that was put or changed."""
        for name in self._keys:
            self._note(name, item)

    def _note(self, name: str, item: Any) -> None:
        if (stored := item.attrs.get(name)) is not None:
            self._keys[name].setdefault(stored.value, {})[item.hash_key, item.range_key] = None


def _has(item: Any, name: str, value: Any) -> bool:
    stored = item.attrs.get(name)
    return stored is not None and bool(stored.value == value.value)


def fill(table: str, items: Iterable[Item]) -> None:
    """Put items into a table of the moto in this process, past HTTP: a hundred thousand would take minutes."""
    stored = _stored(table)
    for item in items:
        stored.put_item(dict(item), overwrite=True)


def empty(queue_url: str) -> None:
    """Throw away what is in a queue of the moto in this process, which like AWS would let nobody do that twice a minute."""
    name = queue_url.rpartition("/")[2]
    [region] = [region for region in sqs_backends[ACCOUNT].values() if name in region.queues]
    region.queues[name].last_purged_at = None
    region.purge_queue(name)


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
