"""Dataclasses to and from plain JSON values; what comes in is checked against the type hints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from bench.core.axes import Backend

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Kind = TypeVar("Kind")


def to_plain(one: DataclassInstance) -> dict[str, Any]:
    """A dataclass and what is in it as dictionaries, with the values of enums and backends."""
    return {field.name: _plain(getattr(one, field.name)) for field in fields(one)}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum | Backend):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return to_plain(value)
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def from_plain(kind: type[Kind], data: Any) -> Kind:
    """The `kind` that `to_plain` made `data` of, also after a way through JSON.

    Raises TypeError or ValueError, with the place, for a field that is missing, unknown or of
    another type; a default stands in for a missing one.
    """
    found: Kind = _read(kind, data, kind.__name__)
    return found


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _read(kind: Any, data: Any, where: str) -> Any:
    if get_origin(kind) is not None:
        return _read_generic(get_origin(kind), get_args(kind), data, where)
    if kind in (Any, object):
        return data
    if kind is Backend or issubclass(kind, Enum):
        return kind(data)
    if is_dataclass(kind):
        return _read_dataclass(kind, _checked(data, (dict,), where), where)
    if kind is float:  # JSON has one kind of number
        return float(_checked(data, (int, float), where))
    return _checked(data, (kind,), where)


def _read_generic(origin: Any, kinds: tuple[Any, ...], data: Any, where: str) -> Any:
    """A value of `X | None`, `tuple[X, ...]` or `dict[str, X]`."""
    if origin in (Union, UnionType):
        (kind,) = (kind for kind in kinds if kind is not NoneType)
        return None if data is None and NoneType in kinds else _read(kind, data, where)
    if origin is tuple:
        items = _checked(data, (list, tuple), where)
        return tuple(_read(kinds[0], one, where) for one in items)
    return {
        _read(kinds[0], name, where): _read(kinds[1], one, f"{where}.{name}")
        for name, one in _checked(data, (dict,), where).items()
    }


def _read_dataclass(kind: Any, data: Mapping[str, Any], where: str) -> Any:
    hints = _hints(kind)
    unknown = data.keys() - {field.name for field in fields(kind)}
    if unknown:
        raise TypeError(f"{where} has no {', '.join(sorted(unknown))}")
    return kind(**{name: _read(hints[name], one, f"{where}.{name}") for name, one in data.items()})


def _checked(data: Any, kinds: tuple[type, ...], where: str) -> Any:
    """The value itself, if it is of one of the types; a bool is no number."""
    if not isinstance(data, kinds) or (isinstance(data, bool) and bool not in kinds):
        names = " or ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"{where} is {data!r}: not of type {names}")
    return data
