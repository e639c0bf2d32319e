"""`Tracer`: what stands for an array while it is differentiated.

It is no ndarray. NumPy hands every function that meets one to `__array_ufunc__` or `__array_function__`, and those look
the function up in the registry; what is not there raises at once.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from inspect import signature
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from fnn.arrays import Traced, Value, describe
from fnn.autodiff import registry

if TYPE_CHECKING:
    from fnn.autodiff.tape import Tape


def value_of(x: Value) -> Value:
    """The plain array under all tracers, or x itself."""
    return x if x.__class__ is not Tracer else value_of(x.value)


def _binary(ufunc: np.ufunc) -> tuple[Callable[[Tracer, Value], Value], Callable[[Tracer, Value], Value]]:
    def forward(self: Tracer, other: Value) -> Value:
        return registry.UFUNCS[ufunc](self, other)

    def reflected(self: Tracer, other: Value) -> Value:
        return registry.UFUNCS[ufunc](other, self)

    return forward, reflected


def _comparison(compare: Callable[[Any, Any], Any]) -> Callable[[Tracer, Value], Value]:
    return lambda self, other: compare(value_of(self), value_of(other))


def _unary(ufunc: np.ufunc) -> Callable[[Tracer], Value]:
    return lambda self: registry.UFUNCS[ufunc](self)


def _apply(function: Callable[..., Any], args: Any, kwargs: Any) -> Value:
    """What runs in place of a NumPy function."""
    rule = registry.FUNCTIONS[function]
    place = registry.position_of_out(function) if len(args) > 1 else None
    if kwargs.get("out") is not None or (place is not None and len(args) > place and args[place] is not None):
        raise TypeError(
            f"fnn: {registry.name_of(function)} with out= writes into an array, which has no gradient; use its result"
        )
    try:
        return rule(*args, **kwargs)
    except TypeError:
        unsupported = registry.unsupported(function, args, kwargs)
        if not unsupported:
            raise
    registry.refuse(f"{registry.name_of(function)} with {unsupported}")


def _method(function: Callable[..., Any]) -> Callable[..., Value]:
    return lambda self, *args, **kwargs: _apply(function, (self, *args), kwargs)


def _computes_in(ufunc: np.ufunc, dtype: np.dtype[Any]) -> bool:
    """Whether ufunc(..., dtype=dtype) casts its arguments to a floating dtype and computes in it."""
    return dtype.kind == "f" and f"{dtype.char * ufunc.nin}->{dtype.char * ufunc.nout}" in ufunc.types


def _cast(x: Value, dtype: Any) -> Value:
    return x.astype(dtype) if x.__class__ is Tracer else np.asarray(x, dtype)


def _in_place(symbol: str) -> Callable[[Tracer, Value], NoReturn]:
    def refuse(self: Tracer, other: Value) -> NoReturn:
        raise TypeError(
            f"fnn: x {symbol}= y writes into {self!r}, an array that is being differentiated; write x = x {symbol} y"
        )

    return refuse


def _writes(name: str, advice: str) -> Callable[..., NoReturn]:
    def refuse(self: Tracer, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(f"fnn: x.{name}() writes into {self!r}, an array that is being differentiated; use {advice}")

    return refuse


_JOIN = (
    "a list of such arrays is no array, so join them with np.stack or np.concatenate; and for a.method(x) use the function, "
    "as np.dot(a, x) for a.dot(x)"
)
_NUMBER = "use NumPy's functions on the array itself, as np.exp(x) for math.exp(x), and fnn.set_at(a, i, x) for a[i] = x"
_INDEX = "an index must be integers, slices or a mask, as np.argmax(x) and x > 0 give"
_COPY = "return what you need from the function that is differentiated"


class Tracer(Traced):
    """An array that is being differentiated: `value`, and its place (`tape`, `index`)."""

    __slots__ = ("index", "tape", "value")

    def __init__(self, value: Value, tape: Tape, index: int) -> None:
        self.value = value
        self.tape = tape
        self.index = index

    # NumPy's protocols

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Value:
        if method == "__call__" and not kwargs:
            rule = registry.UFUNCS.get(ufunc)
            if rule is not None:
                return rule(*inputs)
        elif method == "__call__" and ufunc.signature is not None and ufunc in registry.UFUNCS:
            # matmul and its kin: their rules take some keywords, as those of functions do
            rule = registry.UFUNCS[ufunc]
            if kwargs.keys() <= signature(rule).parameters.keys():
                return rule(*inputs, **kwargs)
        if kwargs.get("out") is not None or method == "at":
            raise TypeError(
                f"fnn: np.{ufunc.__name__} was told to write its result into an existing array (out=, an in-place operator "
                "or .at), which has no gradient; use the result that it returns: x = x + y, not x += y (fnn.add_at for .at)"
            )
        if method == "reduce" and ufunc in registry.REDUCTIONS:
            # ufunc.reduce has axis=0 where np.sum and its kin have axis=None.
            return _apply(registry.REDUCTIONS[ufunc], inputs, {"axis": 0, **kwargs})
        if method == "accumulate" and ufunc in registry.ACCUMULATIONS:
            return _apply(registry.ACCUMULATIONS[ufunc], inputs, {"axis": 0, **kwargs})
        if method == "__call__" and kwargs.keys() == {"dtype"} and _computes_in(ufunc, np.dtype(kwargs["dtype"])):
            return registry.UFUNCS[ufunc](*[_cast(x, kwargs["dtype"]) for x in inputs])
        name = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
        if ufunc in registry.UFUNCS and kwargs and method == "__call__":
            name += f" with {', '.join(f'{k}=' for k in kwargs)}"
        registry.refuse(name)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Value:
        return _apply(function, args, kwargs)

    def _leave(self, how: str, advice: str) -> NoReturn:
        raise TypeError(
            f"fnn: {how} on {self!r}, an array that is being differentiated, would lose its gradient: {advice}. For the value "
            "alone, apply it to fnn.stop_gradient(x)"
        )

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        self._leave("np.asarray, np.array, an assignment into an array or an index of one", _JOIN)

    def __float__(self) -> NoReturn:
        self._leave("float()", _NUMBER)

    def __int__(self) -> NoReturn:
        self._leave("int()", _NUMBER)

    def __complex__(self) -> NoReturn:
        self._leave("complex()", _NUMBER)

    def __round__(self, digits: int | None = None) -> NoReturn:
        self._leave("round()", _NUMBER)

    def __trunc__(self) -> NoReturn:
        self._leave("math.trunc()", _NUMBER)

    def __index__(self) -> NoReturn:
        self._leave("use as an index", _INDEX)

    def item(self, *args: Any) -> NoReturn:
        """Refused: a Python number has no gradient."""
        self._leave(".item()", _NUMBER)

    def tolist(self) -> NoReturn:
        """Refused: Python numbers have no gradient."""
        self._leave(".tolist()", _NUMBER)

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise TypeError(
            f"fnn: x[...] = value writes into {self!r}, an array that is being differentiated; use the new "
            "array that fnn.set_at(x, index, value) gives, or np.where; x = fnn.add_at(x, index, value) for x[...] += value"
        )

    def __getattr__(self, name: str) -> NoReturn:
        if not name.startswith("_") and hasattr(np.ndarray, name):
            registry.refuse(f"the array method .{name}", AttributeError)
        raise AttributeError(f"an array that is being differentiated has no attribute {name!r}")

    def __bool__(
        self,
    ) -> bool:  # control flow on values is well defined: the branch that runs is the one differentiated
        return bool(value_of(self))

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Value]:
        return (self[i] for i in range(len(self)))

    def __contains__(self, x: object) -> bool:
        return x in value_of(self)

    def __repr__(self) -> str:
        return f"~{describe(self)}"

    def __format__(self, spec: str) -> str:
        return format(value_of(self), spec) if spec else repr(self)

    def __reduce__(self) -> NoReturn:
        self._leave("pickle or copy.deepcopy", _COPY)

    __hash__ = object.__hash__

    # What an ndarray knows about itself

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an ndarray."""
        return self.value.shape  # type: ignore[no-any-return]  # a Value is untyped, see arrays.Value

    @property
    def dtype(self) -> np.dtype[Any]:
        """As of an ndarray."""
        return self.value.dtype  # type: ignore[no-any-return]  # a Value is untyped, see arrays.Value

    @property
    def ndim(self) -> int:
        """As of an ndarray."""
        return self.value.ndim  # type: ignore[no-any-return]  # a Value is untyped, see arrays.Value

    @property
    def size(self) -> int:
        """As of an ndarray."""
        return self.value.size  # type: ignore[no-any-return]  # a Value is untyped, see arrays.Value

    @property
    def itemsize(self) -> int:
        """As of an ndarray."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """As of an ndarray."""
        return self.size * self.dtype.itemsize

    @property
    def T(self) -> Value:  # noqa: N802 (NumPy's name)
        """The array with its axes reversed."""
        return registry.FUNCTIONS[np.transpose](self)

    @property
    def mT(self) -> Value:  # noqa: N802 (NumPy's name)
        """The array with its last two axes exchanged."""
        return registry.FUNCTIONS[np.swapaxes](self, -1, -2)

    # Operators

    __add__, __radd__ = _binary(np.add)
    __sub__, __rsub__ = _binary(np.subtract)
    __mul__, __rmul__ = _binary(np.multiply)
    __truediv__, __rtruediv__ = _binary(np.divide)
    __pow__, __rpow__ = _binary(np.power)
    __matmul__, __rmatmul__ = _binary(np.matmul)
    __mod__, __rmod__ = _binary(np.remainder)
    __floordiv__, __rfloordiv__ = _binary(np.floor_divide)
    __neg__ = _unary(np.negative)
    __pos__ = _unary(np.positive)
    __abs__ = _unary(np.absolute)
    __gt__ = _comparison(operator.gt)
    __ge__ = _comparison(operator.ge)
    __lt__ = _comparison(operator.lt)
    __le__ = _comparison(operator.le)
    __eq__ = _comparison(operator.eq)
    __ne__ = _comparison(operator.ne)
    __iadd__ = _in_place("+")
    __isub__ = _in_place("-")
    __imul__ = _in_place("*")
    __itruediv__ = _in_place("/")
    __ifloordiv__ = _in_place("//")
    __ipow__ = _in_place("**")
    __imatmul__ = _in_place("@")
    __imod__ = _in_place("%")

    __divmod__, __rdivmod__ = _binary(np.divmod)

    def __getitem__(self, key: Any) -> Value:
        return registry.getitem(self, key)

    # Methods

    sum = _method(np.sum)
    prod = _method(np.prod)
    cumsum = _method(np.cumsum)
    cumprod = _method(np.cumprod)
    mean = _method(np.mean)
    max = _method(np.max)
    min = _method(np.min)
    var = _method(np.var)
    std = _method(np.std)
    dot = _method(np.dot)
    ravel = _method(np.ravel)
    flatten = _method(np.ravel)
    squeeze = _method(np.squeeze)
    swapaxes = _method(np.swapaxes)
    clip = _method(np.clip)
    take = _method(np.take)
    copy = _method(np.copy)
    repeat = _method(np.repeat)
    diagonal = _method(np.diagonal)
    trace = _method(np.trace)
    choose = _method(np.choose)
    argmax = _method(np.argmax)
    argmin = _method(np.argmin)
    argsort = _method(np.argsort)
    argpartition = _method(np.argpartition)
    searchsorted = _method(np.searchsorted)
    nonzero = _method(np.nonzero)
    all = _method(np.all)
    any = _method(np.any)
    round = _method(np.round)

    sort = _writes("sort", "np.sort(x)")
    partition = _writes("partition", "np.partition(x, kth)")
    resize = _writes("resize", "np.resize(x, shape) or np.pad")
    put = _writes("put", "fnn.set_at(x, index, values)")
    fill = _writes("fill", "np.full_like(x, value)")

    @property
    def flat(self) -> Value:
        """The entries in a row, to index and to iterate over; in NumPy an iterator, here an array."""
        return registry.FUNCTIONS[np.ravel](self)

    def compress(self, condition: Any, axis: int | None = None, out: Any = None) -> Value:
        """As of an ndarray."""
        return _apply(np.compress, (condition, self, axis, out), {})

    def reshape(self, *shape: Any, order: str = "C", copy: bool | None = None) -> Value:
        """As of an ndarray."""
        return registry.FUNCTIONS[np.reshape](self, shape[0] if len(shape) == 1 else shape, order=order)

    def transpose(self, *axes: Any) -> Value:
        """As of an ndarray."""
        if len(axes) == 1 and not isinstance(axes[0], int):
            axes = axes[0]
        return registry.FUNCTIONS[np.transpose](self, axes or None)

    def astype(self, dtype: Any, order: str = "K", casting: Any = "unsafe", subok: bool = True, copy: bool = True) -> Value:
        """As of an ndarray; an integer or boolean dtype gives constants."""
        if not np.can_cast(self.dtype, dtype, casting):
            raise TypeError(f"fnn: cannot cast {self!r} to {np.dtype(dtype)} by the rule {casting!r}")
        if np.dtype(dtype).kind not in "fiub":
            registry.refuse(f".astype({np.dtype(dtype)})")
        return registry.FUNCTIONS[np.astype](self, np.dtype(dtype))
