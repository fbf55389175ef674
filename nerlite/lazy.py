"""Attributes that are computed when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")


class Lazy(Generic[Value]):
    """A method as an attribute that is computed once, or by several threads at once, each the same.

    `functools.cached_property` holds a lock before Python 3.12, one for all objects of a class: threads wait for each
    other there, and a process that is forked meanwhile waits for ever.
    """

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        self._compute, self.__doc__ = compute, compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Value:
        if instance is None:
            return self  # type: ignore[return-value]  # for those who look at the class
        value = instance.__dict__[self._name] = self._compute(instance)
        return value
