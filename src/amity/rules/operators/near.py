"""``near``: a place not far from a point."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self

from msgspec import Meta

from amity.rules.fragment import Fragment, sql
from amity.rules.operator import Operator, Parameter, Value, ValueType, operators
from amity.rules.place import Point, metres_between, metres_sql, point_of


@operators.register("near")
class IsNear(Operator, frozen=True, tag="near"):
    """A place at most so many kilometres from a point, over a sphere, to the metre.

    The value is {lat, lon} in degrees (latitude, lng and longitude are read too) or a text such
    as "48.21,16.37".
    """

    lat: Annotated[float, Meta(ge=-90, le=90)]
    lon: Annotated[float, Meta(ge=-180, le=180)]
    km: Annotated[float, Meta(gt=0, le=20_100)]

    label: ClassVar[str] = "is near the point"
    accepts: ClassVar[frozenset[ValueType]] = frozenset({"text", "list"})
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("lat", "number"),
        Parameter("lon", "number"),
        Parameter("km", "number"),
    )

    def __post_init__(self) -> None:
        if point_of({"lat": self.lat, "lon": self.lon}) is None:
            raise ValueError("there is no such point")

    @property
    def _centre(self) -> Point:
        centre = point_of({"lat": self.lat, "lon": self.lon})
        assert centre is not None
        return centre

    @property
    def _metres(self) -> int:
        return round(self.km * 1000)

    def matches(self, actual: Any, now: datetime) -> bool:
        point = point_of(actual)
        return point is not None and metres_between(point, self._centre) <= self._metres

    def to_sql(self, value: Value, now: datetime) -> Fragment:
        return sql("{} <= {}", metres_sql(value, self._centre), self._metres)

    def describe(self, field: str) -> str:
        return f"{field} is at most {self.km:g} km from {self.lat:g}, {self.lon:g}"

    @classmethod
    def examples(cls) -> Iterable[Self]:
        return [cls(48.2082, 16.3738, 25), cls(0, 180, 5.5), cls(90, 0, 20_100), cls(5, 5, 1000)]
