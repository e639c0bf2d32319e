"""Randomness as a value: a key names a stream of random bits, and drawing from it changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from operator import index
from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import BitGenerator

_SEED, _SPLIT, _FOLD, _MASK = b"s", b"p", b"f", b"m"


@cache
def _blake2b() -> Callable[..., Any]:
    from hashlib import blake2b  # noqa: PLC0415 (hashlib takes 5 ms to import, and each import statement 0.7 us)

    return blake2b


def _derive(material: bytes, domain: bytes) -> int:
    return int.from_bytes(_blake2b()(material + domain, digest_size=16).digest(), "little")


@dataclass(frozen=True)
class Key:
    """128 bits that name a random stream. Make one with `fnn.key(seed)`; derive others with `split` and `fold`.

    A derived key is the BLAKE2b hash of its parent, so that all streams are independent of one another and of the
    order in which they are drawn, and a key is the same size however often it was derived. Use each key once: for
    one draw, or to derive others.

    >>> import fnn
    >>> root = fnn.key(0)
    >>> first, second = root.split()
    >>> float(first.generator().random()) == float(first.generator().random())
    True
    >>> root.fold(1) == root.fold(1), root.fold(1) == root.fold(2)
    (True, False)
    """

    bits: int

    def __post_init__(self) -> None:
        if not isinstance(self.bits, int):
            raise TypeError(f"Key: the bits are a {type(self.bits).__name__}, expected an int; make a key with fnn.key(seed)")
        if not 0 <= self.bits < 2**128:
            raise ValueError(f"Key: the bits are {self.bits:#x}, expected an int of 128 bits; make a key with fnn.key(seed)")

    @overload
    def split(self, n: Literal[2] = 2, /) -> tuple[Key, Key]: ...
    @overload
    def split(self, n: Literal[3], /) -> tuple[Key, Key, Key]: ...
    @overload
    def split(self, n: Literal[4], /) -> tuple[Key, Key, Key, Key]: ...
    @overload
    def split(self, n: int, /) -> tuple[Key, ...]: ...
    def split(self, n: int = 2, /) -> tuple[Key, ...]:
        """n independent keys. `split(3)` begins with the keys of `split(2)`."""
        try:
            count = index(n)
        except TypeError:
            raise TypeError(f"Key.split: n is {n!r}, a {type(n).__name__}, expected an int") from None
        if count < 1:
            raise ValueError(f"Key.split: n is {n}, expected at least 1")
        return tuple([self._child(i, _SPLIT) for i in range(count)])

    def fold(self, i: int, /) -> Key:
        """The key for the i-th of something (a step, a layer, an epoch), with i in [0, 2**64).

        Never one that `split` gives.
        """
        return self._child(i, _FOLD)

    def generator(self) -> np.random.Generator:
        """A new NumPy generator at the start of this key's stream (PCG64). Set-up takes about 10 microseconds."""
        from numpy.random import PCG64, Generator  # noqa: PLC0415 (numpy.random takes 15 ms to import)

        return Generator(PCG64(self.bits))

    def bits16(self, n: int, /) -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
        """n uniform integers of 16 bits (SFC64), four times as fast as floats: for masks. Set-up takes 4 microseconds."""
        return _sfc64()(self.bits).random_raw(-(-n // 4)).view("u2")[:n]

    def _child(self, i: int, domain: bytes) -> Key:
        try:
            suffix = i.to_bytes(8, "little")
        except (OverflowError, AttributeError):
            suffix = _to_index(i)
        made = object.__new__(Key)
        made.__dict__["bits"] = _derive(self.bits.to_bytes(16, "little") + suffix, domain)
        return made

    def __repr__(self) -> str:
        return f"Key({self.bits:#034x})"


@cache
def _sfc64() -> Callable[[int], BitGenerator]:
    """SFC64 from bits that are a hash already: its state is one more hash of them, in a third of NumPy's time for mixing."""
    # numpy.random takes 15 ms to import
    import numpy as np  # noqa: PLC0415
    from numpy.random import SFC64  # noqa: PLC0415
    from numpy.random.bit_generator import ISeedSequence  # noqa: PLC0415

    class Hashed(ISeedSequence):
        def __init__(self, bits: int) -> None:
            self.bits = bits

        def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
            size = n_words * np.dtype(dtype).itemsize
            return np.frombuffer(blake2b(self.bits.to_bytes(16, "little") + _MASK, digest_size=size).digest(), dtype)

    blake2b = _blake2b()

    def of(bits: int) -> BitGenerator:
        seeds: Any = Hashed(bits)  # NumPy takes any ISeedSequence; its stubs do not say so
        return SFC64(seeds)

    return of


def _to_index(i: int) -> bytes:
    """What fold takes besides a plain int: NumPy's integers."""
    try:
        return index(i).to_bytes(8, "little")
    except TypeError:
        raise TypeError(f"Key.fold: got {i!r}, a {type(i).__name__}, expected an int") from None
    except OverflowError:
        raise ValueError(f"Key.fold: got {i}, expected an int in [0, 2**64)") from None


def check_key(name: str, key: object) -> None:
    """TypeError unless this is a Key: the usual mistake is a plain seed."""
    if not isinstance(key, Key):
        raise TypeError(f"{name}: the key is {key!r}, a {type(key).__name__}, expected a Key: write fnn.key(seed)")


def key(seed: int, /) -> Key:
    """The root key of a seed, any int of at least 0. All randomness in fnn comes from keys: there is no global state.

    The same key gives the same bits on every run with the same version of NumPy, which promises no more than that.

    Raises TypeError where the seed is not an int and ValueError where it is negative.

    >>> import fnn
    >>> fnn.key(0)
    Key(0x...)
    """
    try:
        number = index(seed)
    except TypeError:
        raise TypeError(f"key: the seed is {seed!r}, a {type(seed).__name__}, expected an int") from None
    if number < 0:
        raise ValueError(f"key: the seed is {number}, expected an int of at least 0")
    return Key(_derive(number.to_bytes((number.bit_length() + 7) // 8, "little"), _SEED))
