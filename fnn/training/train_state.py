"""TrainState: everything that changes in training, as one immutable value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from fnn.arrays import Value, read_only
from fnn.layers.layer import HasInit, init
from fnn.optim.optimizer import Optimizer, check_is_optimizer
from fnn.optim.state import OptState
from fnn.random import Key, check_key
from fnn.tree import PyTree, Record, flatten, freeze

P = TypeVar("P", bound=PyTree)
S = TypeVar("S", bound=PyTree)


@dataclass(frozen=True, eq=False, repr=False)
class TrainState(Record, Generic[P, S]):
    """Parameters, state, optimiser state, root key and step: a run is a pure function of these and of its batches.

    `step` is the number of steps done. Pickled and resumed, a run goes on with the same bits.
    """

    params: P
    state: S
    opt: OptState[P]
    key: Key
    step: int

    if not TYPE_CHECKING:  # a checker would take any attribute for a field

        def __getattr__(self, name: str) -> P:
            # Steps work with the leaves, so the tree of the parameters of a new state is made when it is first asked for.
            leaves = self.__dict__.get("_leaves")
            if name != "params" or leaves is None:
                raise AttributeError(f"TrainState has no attribute {name!r}")
            params = self.__dict__["params"] = self.opt.layout.structure.unflatten(leaves)
            return params

        def __dir__(self) -> list[str]:
            return sorted({*super().__dir__(), "params"} - {"_leaves"})


def stepped(leaves: list[Value], state: S, opt: OptState[P], key: Key, step: int) -> TrainState[P, S]:
    """A TrainState from the leaves of its parameters, read-only views of one vector, and what else was checked."""
    made: TrainState[P, S] = object.__new__(TrainState)
    fields = made.__dict__  # one by one: update takes twice as long
    fields["_leaves"] = leaves
    fields["state"] = state
    fields["opt"] = opt
    fields["key"] = key
    fields["step"] = step
    return made


def train_state(params: P, state: S, opt: Optimizer, key: Key, /) -> TrainState[P, S]:
    """The TrainState before the first step, for parameters and a state that are at hand.

    The parameters are copied into one contiguous read-only buffer.

    Raises TypeError, with the path, where a parameter is not floating or their dtypes differ.
    """
    check_key("train_state", key)
    check_is_optimizer("train_state", opt)
    opt_state = opt.init(params)
    layout = opt_state.layout
    vector = read_only(layout.pack(flatten(params)[0]))
    return TrainState(layout.unpack(vector), freeze(state), opt_state, key, 0)


def start(model: HasInit[P, S], opt: Optimizer, key: Key, /) -> TrainState[P, S]:
    """The TrainState of a new model: parameters from the first key of `key.split()`, the run's randomness from the second.

    >>> import fnn
    >>> ts = fnn.start(fnn.Dense(2, 3), fnn.Sgd(0.1), fnn.key(0))
    >>> ts.params, ts.step
    (DenseParams(weight=f32[2,3], bias=f32[3]), 0)
    """
    check_key("start", key)
    check_is_optimizer("start", opt)
    for_params, for_training = key.split()
    params, state = init(model, for_params)
    return train_state(params, state, opt, for_training)
