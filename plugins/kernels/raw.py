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
"""Bytes that `letters`, `solid`, `plain` and `copy` look at, all of which must be readable."""
BLOCK = 64
"""Bytes that `equal`, `leads`, `wides` and `alphanumerics` look at, all of which must be readable: a bit of a word for each. `beginnings` looks at two more."""

_BYTE, _SHORT, _WORD = ir.IntType(8), ir.IntType(16), ir.IntType(64)
_LANES, _BLOCK = ir.VectorType(_BYTE, WIDTH), ir.VectorType(_BYTE, BLOCK)


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


@intrinsic
def put_byte(typingctx: Any, address: Any, value: Any) -> Any:  # noqa: ARG001
    """Write the lowest byte of an int64 at an address."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        builder.store(
            builder.trunc(arguments[1], _BYTE), builder.inttoptr(arguments[0], _BYTE.as_pointer()), align=1
        )
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def copy(typingctx: Any, to: Any, source: Any) -> Any:  # noqa: ARG001
    """Write the WIDTH bytes at the address `source` to the address `to`."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        lanes = _lanes_at(builder, arguments[1])
        builder.store(lanes, builder.inttoptr(arguments[0], _LANES.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def ones(typingctx: Any, value: Any) -> Any:  # noqa: ARG001
    """How many bits of an int64 are set."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.int64), generate


@intrinsic
def lowest(typingctx: Any, value: Any) -> Any:  # noqa: ARG001
    """The place of the lowest bit of an int64 that is set; 64 where none is."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.int64), generate


@intrinsic
def shifted(typingctx: Any, value: Any, bits: Any) -> Any:  # noqa: ARG001
    """An int64 shifted right by 0 to 63 bits, as if it had no sign."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.lshr(arguments[0], arguments[1])

    return types.int64(types.int64, types.int64), generate


@intrinsic
def times(typingctx: Any, first: Any, second: Any) -> Any:  # noqa: ARG001
    """The lowest 64 bits of a product. Numba's own of two int64 is undefined once it overflows, and LLVM makes use of that."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.mul(*arguments)

    return types.int64(types.int64, types.int64), generate


@intrinsic
def equal(typingctx: Any, address: Any, value: Any) -> Any:  # noqa: ARG001
    """Which of the BLOCK bytes at `address` are `value`: bit 0 is the first byte."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        wanted = builder.insert_element(
            ir.Constant(_BLOCK, ir.Undefined),
            builder.trunc(arguments[1], _BYTE),
            ir.Constant(ir.IntType(32), 0),
        )
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), BLOCK), [0] * BLOCK)
        wanted = builder.shuffle_vector(wanted, ir.Constant(_BLOCK, ir.Undefined), zeros)
        return builder.bitcast(builder.icmp_unsigned("==", _block_at(builder, arguments[0]), wanted), _WORD)

    return types.int64(types.int64, types.int64), generate


@intrinsic
def leads(typingctx: Any, address: Any) -> Any:  # noqa: ARG001
    """Which of the BLOCK bytes at `address` begin a character of UTF-8."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        least = _block(-64)
        return builder.bitcast(builder.icmp_signed(">=", _block_at(builder, arguments[0]), least), _WORD)

    return types.int64(types.int64), generate


def beginnings(triples: tuple[bytes, ...]) -> Any:
    """An intrinsic: at which of the BLOCK bytes at an address one of these three small letters stands, in any case. It looks at two bytes
    more, and may take a few other characters for letters."""

    def find(typingctx: Any, address: Any) -> Any:  # noqa: ARG001
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            folded = [
                builder.or_(
                    _block_at(builder, builder.add(arguments[0], ir.Constant(_WORD, ahead))),
                    _block(0x20),
                )
                for ahead in range(3)
            ]
            found = ir.Constant(ir.VectorType(ir.IntType(1), BLOCK), [0] * BLOCK)
            for triple in triples:
                here = [
                    builder.icmp_unsigned("==", lanes, _block(letter))
                    for lanes, letter in zip(folded, triple, strict=True)
                ]
                found = builder.or_(found, builder.and_(builder.and_(here[0], here[1]), here[2]))
            return builder.bitcast(found, _WORD)

        return types.int64(types.int64), generate

    return intrinsic(find)


def _block_at(builder: Any, address: Any) -> Any:
    return builder.load(builder.inttoptr(address, _BLOCK.as_pointer()), align=1)


def _block(values: int) -> ir.Constant:
    return ir.Constant(_BLOCK, [values] * BLOCK)


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


@intrinsic
def plain(typingctx: Any, address: Any) -> Any:  # noqa: ARG001
    """How many of the WIDTH bytes at `address` are of ASCII, no control, full stop or number sign, before the first that is not."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        lanes = _lanes_at(builder, arguments[0])
        others = builder.icmp_signed("<", lanes, _lanes(32))
        for mark in b".#":
            others = builder.or_(others, builder.icmp_unsigned("==", lanes, _lanes(mark)))
        return _leading(builder, others)

    return types.int64(types.int64), generate


@intrinsic
def alphanumerics(typingctx: Any, address: Any) -> Any:  # noqa: ARG001
    """Which of the BLOCK bytes at `address` are letters or digits of ASCII."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        lanes = _block_at(builder, arguments[0])
        letters = builder.sub(builder.or_(lanes, _block(0x20)), _block(97))
        digits = builder.sub(lanes, _block(48))
        either = builder.or_(
            builder.icmp_unsigned("<", letters, _block(26)), builder.icmp_unsigned("<", digits, _block(10))
        )
        return builder.bitcast(either, _WORD)

    return types.int64(types.int64), generate


@intrinsic
def wides(typingctx: Any, address: Any) -> Any:  # noqa: ARG001
    """Which of the BLOCK bytes at `address` are not of ASCII."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(builder.icmp_signed("<", _block_at(builder, arguments[0]), _block(0)), _WORD)

    return types.int64(types.int64), generate
