"""The specs Dense, BatchNorm and Dropout: hyper-parameters only, over the functions of the floor below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar, overload

import numpy as np

from fnn.arrays import SameRank, Tokens, Value, ones
from fnn.functional.activations import identity
from fnn.functional.checks import check_bool, check_int, check_number, check_range
from fnn.functional.linear import DenseParams, LinearParams, affine, dense
from fnn.functional.noise import check_drop_rate, drop_factor, dropout
from fnn.functional.norms import BatchNormState, NormParams, batch_norm, batch_norm_kernel, moved, normalised
from fnn.initializers import Initializer, he_normal, zeros
from fnn.layers.layer import ComposableAnyRank, ComposableRows
from fnn.layers.pullback import Bound, BoundPull, Pull, bind_by_tape, by_tape
from fnn.layers.spec import Spec
from fnn.mode import EVAL, Mode, Train
from fnn.random import Key

DP = TypeVar("DP", bound="DenseParams | LinearParams")


@dataclass(frozen=True, init=False, repr=False)
class Dense(Spec, ComposableRows, Generic[DP]):
    """An affine map of the last axis, x @ weight + bias: [batch, n_in] or [batch, time, n_in] to the same with n_out.

    Parameters are `DenseParams(weight, bias)`, or `LinearParams(weight)` with bias=False. There is no state.
    weight_init and bias_init are initialisers: he_normal (for relu) and zeros by default.

    >>> import fnn
    >>> fnn.init(fnn.Dense(64, 128), fnn.key(0))[0]
    DenseParams(weight=f32[64,128], bias=f32[128])
    >>> fnn.init(fnn.Dense(64, 128, bias=False), fnn.key(0))[0]
    LinearParams(weight=f32[64,128])
    """

    n_in: int
    n_out: int
    bias: bool
    weight_init: Initializer
    bias_init: Initializer
    ignores_mode: ClassVar[bool] = True  # for layers.pullback
    reads_x_once: ClassVar[bool] = True  # for Residual
    gives_floats: ClassVar[bool] = True  # for layers.pullback

    @overload
    def __init__(
        self: Dense[DenseParams],
        n_in: int,
        n_out: int,
        *,
        bias: Literal[True] = True,
        weight_init: Initializer = ...,
        bias_init: Initializer = ...,
    ) -> None: ...
    @overload
    def __init__(
        self: Dense[LinearParams], n_in: int, n_out: int, *, bias: Literal[False], weight_init: Initializer = ...
    ) -> None: ...
    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        bias: bool = True,
        weight_init: Initializer = he_normal,
        bias_init: Initializer = zeros,
    ) -> None:
        check_int("Dense", "n_in", n_in)
        check_int("Dense", "n_out", n_out)
        check_bool("Dense", "bias", bias)
        for what, initializer in (("weight_init", weight_init), ("bias_init", bias_init)):
            if not callable(initializer):
                raise TypeError(f"Dense: {what} is {initializer!r}, expected an initializer, as fnn.initializers.he_normal")
        self.__dict__.update(n_in=int(n_in), n_out=int(n_out), bias=bias, weight_init=weight_init, bias_init=bias_init)

    def init(self, key: Key, /) -> tuple[DP, None]:
        """New parameters, and no state."""
        params: Any = (
            DenseParams.init(key, self.n_in, self.n_out, weight_init=self.weight_init, bias_init=self.bias_init)
            if self.bias
            else LinearParams.init(key, self.n_in, self.n_out, weight_init=self.weight_init)
        )
        return params, None

    def forward(self, params: DP, state: None, x: Tokens, mode: Mode, /) -> tuple[Tokens, None]:
        """dense(params, x)."""
        return dense(params, x), None

    def bind(self, into: DP, wanted: bool, first: int, /) -> Bound:
        """`affine` and `affine_pull` written out: on small nets a call takes as long as a product."""
        of_weight, of_bias = into.weight, getattr(into, "bias", None)
        with_checks = bind_by_tape(self, into, wanted, first)

        def run(leaves: Sequence[Value], state: None, x: Value, mode: Mode) -> tuple[Value, None, BoundPull]:
            w = leaves[first]
            flat = x.ndim == 2
            if x.dtype is not w.dtype or not (flat or x.ndim == 3):
                return with_checks(leaves, state, x, mode)
            rows = x if flat else x.reshape(-1, x.shape[-1])
            y = rows.dot(w)
            if of_bias is not None:
                y += leaves[first + 1]

            def pull(g: Value) -> Value:
                h = g if flat else g.reshape(-1, g.shape[-1])
                rows.T.dot(h, of_weight)
                if of_bias is not None:
                    ones(len(h), h.dtype).dot(h, of_bias)
                if not wanted:
                    return None
                dx = h.dot(w.T)
                return dx if flat else dx.reshape(x.shape)

            return y if flat else y.reshape(*x.shape[:-1], y.shape[-1]), None, pull

        return run

    def evaluator(self, params: DP, state: None, /) -> Callable[[Value], Value]:
        """The kernel of `dense`."""
        weight, bias = params.weight, getattr(params, "bias", None)
        dtype = weight.dtype

        def run(x: Value) -> Value:
            if x.dtype is not dtype or x.ndim not in (2, 3):
                return self.forward(params, state, x, EVAL)[0]
            return affine(x, weight, bias)

        return run


@dataclass(frozen=True, repr=False)
class BatchNorm(Spec, ComposableAnyRank):
    """Batch norm over all axes but the last: see `batch_norm`. Parameters NormParams, state BatchNormState.

    >>> import fnn
    >>> model = fnn.Dense(2, 8) >> fnn.BatchNorm(8) >> fnn.relu
    """

    n: int
    _: KW_ONLY
    momentum: float = 0.1
    eps: float = 1e-5
    reads_x_once: ClassVar[bool] = True  # for Residual

    def __post_init__(self) -> None:
        check_int("BatchNorm", "n", self.n)
        check_range("BatchNorm", "momentum", self.momentum)
        check_number("BatchNorm", "eps", self.eps)
        if not self.eps > 0:
            raise ValueError(f"BatchNorm: eps is {self.eps}, expected a positive number")

    def init(self, key: Key, /) -> tuple[NormParams, BatchNormState]:
        """Scale 1 and shift 0; mean 0 and variance 1."""
        return NormParams.init(self.n), BatchNormState.init(self.n)

    def forward(self, params: NormParams, state: BatchNormState, x: SameRank, mode: Mode, /) -> tuple[SameRank, BatchNormState]:
        """batch_norm(params, state, x, mode)."""
        return batch_norm(params, state, x, mode, momentum=self.momentum, eps=self.eps)

    def takes(self, params: NormParams, x: Value, /) -> bool:
        """Whether x is surely for the kernels: see layers.pullback."""
        return x.dtype is params.scale.dtype and x.ndim > 1 and x.shape[-1] == len(params.scale)

    def vjp(
        self, params: NormParams, state: BatchNormState, x: Value, mode: Mode, wanted: bool, /
    ) -> tuple[Value, BatchNormState, Pull]:
        """The kernel of `batch_norm` in training."""
        if not isinstance(mode, Train) or x.size < 2 * x.shape[-1]:  # with its checks
            return by_tape(lambda p, x: self.forward(p, state, x, mode), params, state, x, wanted)
        y, batch, pull = batch_norm_kernel(x, params.scale, params.shift, eps=float(self.eps))

        def back(g: Value, into: NormParams) -> Value:
            dx, into.scale[:], into.shift[:] = pull(g, (wanted, True, True))
            return dx

        return y, moved(state, batch, self.momentum), back

    def evaluator(self, params: NormParams, state: BatchNormState, /) -> Callable[[Value], Value]:
        """The kernel of `batch_norm` in evaluation."""
        var: Value = state.var
        mean, factor, shift = state.mean, params.scale / np.sqrt(var + float(self.eps)), params.shift
        return lambda x: normalised(x, mean, factor, shift)


@dataclass(frozen=True, repr=False)
class Dropout(Spec, ComposableAnyRank):
    """In training, drops each entry with probability `drop_rate`: see `dropout`. No parameters, no state.

    >>> import fnn
    >>> model = fnn.Dense(2, 8) >> fnn.relu >> fnn.Dropout(0.5) >> fnn.Dense(8, 1)
    """

    drop_rate: float

    def __post_init__(self) -> None:
        check_drop_rate("Dropout", self.drop_rate)

    def init(self, key: Key, /) -> tuple[None, None]:
        """No parameters, no state."""
        return None, None

    def forward(self, params: None, state: None, x: SameRank, mode: Mode, /) -> tuple[SameRank, None]:
        """dropout(x, drop_rate, mode)."""
        return dropout(x, self.drop_rate, mode), None

    def takes(self, params: None, x: Value, /) -> bool:
        """Whether x is surely for the kernels: see layers.pullback."""
        return bool(x.dtype.kind == "f")

    def vjp(self, params: None, state: None, x: Value, mode: Mode, wanted: bool, /) -> tuple[Value, None, Pull]:
        """The same factor for x and for g."""
        if self.drop_rate == 0 or not isinstance(mode, Train):  # in this order: what is fixed comes first for specialise
            return x, None, lambda g, into: g
        factor = drop_factor(x.shape, x.dtype, self.drop_rate, mode)
        return x * factor, None, lambda g, into: g * factor

    def evaluator(self, params: None, state: None, /) -> Callable[[Value], Value]:
        """x itself."""
        return identity
