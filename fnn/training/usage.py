"""A hint for calls with the wrong arguments."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def usage(example: str) -> Callable[[F], F]:
    """A decorator: a call with missing, unknown or too many arguments is an error that shows this example of a right one."""

    def decorate(f: F) -> F:
        @wraps(f)
        def call(*args: Any, **options: Any) -> Any:
            try:
                return f(*args, **options)
            except TypeError as error:
                # by the call itself, not by something in it
                if error.__traceback__ is not None and error.__traceback__.tb_next is None:
                    error.add_note(f"call it as {example}")
                raise

        return call  # type: ignore[return-value]  # it is called as f is, which no type says of a function that is not typed

    return decorate
