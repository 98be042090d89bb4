"""Reading snapshots: what a process has compiled or loaded once serves all that share it.

A shelf belongs to one thread at a time: the edge's poll has its own, so has whoever replays.
"""

import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec

from amity.infra import queries
from amity.infra.database import Connection
from amity.kernel.errors import NotFound
from amity.kernel.money import exponent_of
from amity.personalization.logic.snapshot import (
    CompiledDefinition,
    Model,
    Snapshot,
    compile_definition,
    decode_arms,
    decode_definition,
    make_snapshot,
    warm_up,
)
from amity.personalization.recommender import load_recommenders

_SQL: Final = queries.load("amity.personalization")
_KEPT_DEFINITIONS: Final = 8
_KEPT_MODELS: Final = 6
# Each holds what its policies have computed, about a megabyte a placement.
_KEPT_SNAPSHOTS: Final = 4

K = TypeVar("K")
V = TypeVar("V")


class _Row(msgspec.Struct, frozen=True, array_like=True):
    snapshot_id: int
    made_at: datetime
    definition_id: int
    models: Mapping[str, int]


class ProductIndex:
    """What to show of each product, kept small: a shop can have a hundred thousand."""

    def __init__(self, rows: Mapping[str, tuple[str, str, str, int | None, str]]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, product_id: str) -> dict[str, Any]:
        """Return what to show of a product; empty when it is not known."""
        row = self._rows.get(product_id)
        if row is None:
            return {}
        name, category, image_url, price_minor, currency = row
        price = None if price_minor is None else price_minor / 10 ** exponent_of(currency)
        return {
            "name": name,
            "category": category,
            "price": price,
            "currency": currency,
            "image_url": image_url,
        }


NO_PRODUCTS: Final = ProductIndex({})


class SnapshotShelf:
    """Keeps what snapshots share: compiled definitions, loaded models, the products to show."""

    def __init__(self) -> None:
        self._definitions: OrderedDict[int, CompiledDefinition] = OrderedDict()
        self._models: OrderedDict[int, Model] = OrderedDict()
        self._snapshots: OrderedDict[int, Snapshot] = OrderedDict()
        self._newest: Snapshot | None = None
        self._products: tuple[frozenset[int], ProductIndex] = (frozenset(), NO_PRODUCTS)

    def newest(self, connection: Connection) -> Snapshot | None:
        """Return the newest snapshot, the same object while nothing is newer; None before any."""
        row = connection.execute(_SQL["newest_snapshot"]).fetchone()
        if row is None:
            return None
        snapshot = self._make(connection, _Row(*row))
        if self._newest is not None and self._newest is not snapshot:
            warm_up(snapshot, self._newest)
        self._newest = snapshot
        return snapshot

    def get(self, connection: Connection, snapshot_id: int) -> Snapshot:
        """Return a snapshot; raise NotFound when it, or a model in it, is gone."""
        held = self._snapshots.get(snapshot_id)
        if held is not None:
            return held
        row = connection.execute(_SQL["find_snapshot"], [snapshot_id]).fetchone()
        if row is None:
            raise NotFound(f"there is no snapshot {snapshot_id}")
        return self._make(connection, _Row(*row))

    def definition(self, connection: Connection, definition_id: int) -> CompiledDefinition:
        """Return a definition, compiled; raise NotFound when it is gone."""
        return _keep(
            self._definitions,
            definition_id,
            lambda: _read_definition(connection, definition_id),
            _KEPT_DEFINITIONS,
        )

    def _make(self, connection: Connection, row: _Row) -> Snapshot:
        held = self._snapshots.get(row.snapshot_id)
        if held is not None:
            return held
        definition = self.definition(connection, row.definition_id)
        models = {
            name: _keep(
                self._models, model_id, _model_reader(connection, name, model_id), _KEPT_MODELS
            )
            for name, model_id in row.models.items()
            if name in load_recommenders()
        }
        arms = decode_arms(_one(connection, "snapshot_arms", row.snapshot_id))
        snapshot = make_snapshot(
            snapshot_id=row.snapshot_id,
            made_at=row.made_at,
            definition=definition,
            arms=arms,
            models=models,
        )
        if definition.needs.has_products:
            products = self._read_products(connection, frozenset(row.models.values()))
            snapshot = msgspec.structs.replace(snapshot, products=products)
        return _keep(self._snapshots, row.snapshot_id, lambda: snapshot, _KEPT_SNAPSHOTS)

    def _read_products(self, connection: Connection, models: frozenset[int]) -> ProductIndex:
        """Return the products as they are now; they are learnt anew together with the models."""
        if self._products[0] != models or not len(self._products[1]):
            rows = connection.execute(_SQL["snapshot_products"], binary=True)
            found = {
                row[0]: (row[1], sys.intern(row[2]), row[3], row[4], sys.intern(row[5]))
                for row in rows
            }
            self._products = (models, ProductIndex(found))
        return self._products[1]


def _keep(held: OrderedDict[K, V], key: K, make: Callable[[], V], most: int) -> V:
    if key in held:
        held.move_to_end(key)
        return held[key]
    made = held[key] = make()
    while len(held) > most:
        held.popitem(last=False)
    return made


def _one(connection: Connection, name: str, key: int) -> bytes:
    row = connection.execute(_SQL[name], [key], binary=True).fetchone()
    if row is None:
        raise NotFound(f"what the snapshot needs is gone ({name} {key})")
    body: bytes = row[0]
    return body


def _read_definition(connection: Connection, definition_id: int) -> CompiledDefinition:
    raw = _one(connection, "snapshot_definition", definition_id)
    return compile_definition(definition_id, decode_definition(raw))


def _model_reader(connection: Connection, name: str, model_id: int) -> Callable[[], Model]:
    def read() -> Model:
        row = connection.execute(_SQL["snapshot_model"], [model_id, name], binary=True).fetchone()
        if row is None:
            raise NotFound(f"the model {model_id} of {name} is gone")
        recommender = load_recommenders()[name]()
        return Model(model_id, recommender, recommender.load(row[0]))

    return read
