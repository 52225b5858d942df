"""Memory by address, for kernels whose helpers are called once a word.

A call between kernels that passes an array counts a reference for it, atomically, and passes seven machine words; in a tokenizer
that took more time than the work. An address is one word. Nothing here keeps memory alive or checks a bound: the kernel that hands out an
address holds the array until it is done.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

WIDTH = 16
"""Bytes that `letters` and `solid` look at, all of which must be readable."""

_BYTE, _SHORT, _WORD = ir.IntType(8), ir.IntType(16), ir.IntType(64)
_LANES = ir.VectorType(_BYTE, WIDTH)


def _loader(kind: ir.IntType) -> Any:
    """An intrinsic that reads one unsigned integer at an address, aligned or not, as an int64."""

    def load(typingctx: Any, address: Any) -> Any:  # noqa: ARG001 (numba's signature of an intrinsic)
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            value = builder.load(builder.inttoptr(arguments[0], kind.as_pointer()), align=1)
            return value if kind.width == 64 else builder.zext(value, _WORD)

        return types.int64(types.int64), generate

    return intrinsic(load)


byte, short, word = _loader(_BYTE), _loader(_SHORT), _loader(_WORD)


@intrinsic
def put(typingctx: Any, address: Any, value: Any) -> Any:  # noqa: ARG001
    """Write an int64 at an address that is a multiple of 8."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        builder.store(arguments[1], builder.inttoptr(arguments[0], _WORD.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


def _lanes(values: int) -> ir.Constant:
    return ir.Constant(_LANES, [values] * WIDTH)


def _leading(builder: Any, others: Any) -> Any:
    """How many lanes come before the first that is true in `others`."""
    bits = builder.zext(builder.bitcast(others, ir.IntType(WIDTH)), _WORD)
    return builder.cttz(builder.or_(bits, ir.Constant(_WORD, 1 << WIDTH)), ir.Constant(ir.IntType(1), 1))


def _lanes_at(builder: Any, address: Any) -> Any:
    return builder.load(builder.inttoptr(address, _LANES.as_pointer()), align=1)


@intrinsic
def letters(typingctx: Any, address: Any) -> Any:  # noqa: ARG001
    """How many of the WIDTH bytes at `address` are letters of ASCII before the first that is none."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        small = builder.or_(_lanes_at(builder, arguments[0]), _lanes(0x20))
        return _leading(builder, builder.icmp_unsigned(">=", builder.sub(small, _lanes(97)), _lanes(26)))

    return types.int64(types.int64), generate


@intrinsic
def solid(typingctx: Any, address: Any) -> Any:  # noqa: ARG001
    """How many of the WIDTH bytes at `address` are of ASCII and above the space before the first that is not."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _leading(builder, builder.icmp_signed("<=", _lanes_at(builder, arguments[0]), _lanes(32)))

    return types.int64(types.int64), generate
