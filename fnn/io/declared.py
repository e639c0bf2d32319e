"""What the fields of a class are declared to hold: where that leaves a choice between plain values, a file may choose.

A field `float | None` may be either, whatever `like` has there, and one that is a `tuple[str, ...]` or a `list[float]` has as
many as the file has. So a tree that was just made can be what a longer run is loaded into, and its types stay true.
"""

from __future__ import annotations

import json
import types
from collections.abc import Sequence
from dataclasses import is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

# Static values that come back from a file, as they are or in a tuple or list of any length.
PLAIN = (type(None), bool, int, float, str)


def declared_parts(value: Any, declared: Any, names: Sequence[Any]) -> list[Any]:
    """What the parts of a container, of these names, are declared to hold; None where it is not known."""
    cls: type = type(value)
    if is_dataclass(cls) or (issubclass(cls, tuple) and cls is not tuple):
        fields = _fields_of(cls)
        return [fields.get(name) for name in names]
    for each in _choices(declared):
        kinds = get_args(each)
        if get_origin(each) is cls and kinds:
            if cls is tuple and kinds[-1] is not ...:
                return list(kinds) if len(kinds) == len(names) else [None] * len(names)
            return [kinds[1] if cls is dict else kinds[0]] * len(names)
    return [None] * len(names)


def fits(value: object, declared: Any, like: object) -> bool:
    """Whether a plain value may stand where `like` stands: one of its class, or of another one that is declared."""
    choices = _choices(declared)
    told = [option for each in choices if get_origin(each) is Literal for option in get_args(each)]
    if any([value.__class__ is option.__class__ and value == option for option in told]):
        return True
    classes = [float, int] if value.__class__ is int else [value.__class__]  # an int is as good as a float
    return any([each in classes for each in choices]) or (value.__class__ is like.__class__ and not told)


def in_words(declared: Any, like: object) -> str:
    """What may stand where `like` stands: "a float or None"."""
    choices = _choices(declared)
    told = [json.dumps(option, default=repr) for each in choices if get_origin(each) is Literal for option in get_args(each)]
    classes = [each for each in choices if each in PLAIN] or ([] if told else [type(like)])
    return " or ".join([*told, *["None" if each is type(None) else with_article(each.__name__) for each in classes]])


def with_article(kind: str) -> str:
    """A noun with its article."""
    return f"{'an' if kind[:1] in 'AEIOUaeio' else 'a'} {kind}"


def items_of(value: Any, declared: Any) -> tuple[Any, object] | None:
    """What each item of a tuple or list is declared to be, and an example; None where its length is that of `like`."""
    if type(value) not in (tuple, list) or any([item.__class__ not in PLAIN for item in value]):
        return None
    for each in _choices(declared):
        origin, kinds = get_origin(each), get_args(each)
        if origin is Sequence or (origin is type(value) and (origin is list or kinds[1:] == (...,))):
            item = kinds[0]
            if isinstance(item, TypeVar):
                classes = {item.__class__ for item in value}
                return (item, value[0]) if len(classes) == 1 else None
            plain = [choice in PLAIN or get_origin(choice) is Literal for choice in _choices(item)]
            return (item, value[0] if value else object()) if all(plain) else None
    return None


def _choices(declared: Any) -> tuple[Any, ...]:
    return get_args(declared) if get_origin(declared) in (Union, types.UnionType) else (declared,)


@cache
def _fields_of(cls: type) -> dict[str, Any]:
    try:
        return get_type_hints(cls)
    except Exception:  # of a name that only type checkers know: then `like` decides
        return {}
