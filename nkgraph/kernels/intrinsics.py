"""Ten machine operations that numba has no name for.

    prefetch(array, index)          ask for the cache line of array[index], to read it soon; into
                                    the second level, which lets more of them be under way
    prefetch_write(array, index)    the same, to write it soon
    rank16(array, at, value)        how many of the 16 items from ``at`` are below ``value``
    match16(array, at, value)       position 0..15 of the first of them equal to it, or 16
    load_word(data, at)             the 8 bytes from ``at`` as one uint64, little-endian
    store_word(data, at, word)      write a uint64 as the 8 bytes from ``at``
    trailing_zeros(word)            zero bits below the lowest one of a uint64; 64 for 0
    as_keys(array)                  bytes as uint32 items that may start at any byte; any other
                                    array as it is
    compare_and_swap(array, index, expected, value)
                                    store ``value`` if the item is ``expected``; gives what it was
    fetch_add(array, index, value)  add to an item; gives what it was

``rank16`` and ``match16`` read 16 items as one LLVM vector, with no bounds check: the caller
keeps ``0 <= at <= array.size - 16``; ``load_word`` and ``store_word`` likewise, with 8. LLVM
lowers them to whatever the machine has (AVX-512, AVX2, NEON), or to scalar code. Prefetching never
faults, so an index past the end is harmless. All of them take what ``as_keys`` gives: numba has a
type for arrays that are not aligned, but gives it to none that come from outside. The last two
are atomic among threads, for items of 32 or 64 bits, and keep the order of reads and writes before
and after them.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, cast

import numpy as np
from llvmlite import ir
from numba.core import imputils, types
from numba.extending import intrinsic
from numba.np import arrayobj
from numpy.typing import NDArray

from nkgraph.dtypes import F64, I64, U8, U32, U64

Signature: TypeAlias = tuple[Any, Callable[..., Any]]
BYTE_POINTER = ir.IntType(8).as_pointer()
I32 = ir.IntType(32)
LANES = 16
borrowed: Callable[..., Any] = imputils.impl_ret_borrowed
populate: Callable[..., Any] = arrayobj.populate_array


def item_pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Address of ``array[index]`` of a contiguous one-dimensional array, unchecked."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


def prefetch_codegen(for_write: int, level: int) -> Callable[..., Any]:
    """Code generator of a prefetch to the first, or the second, cache level and those beyond.

    The fill buffers of the first level are few (a dozen or two) and loads wait for them too: where
    every read misses, asking the second level alone made gathers and searches 1.4 to 1.7 times
    as fast. Rows that are written soon, of few places, are better off in the first.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = item_pointer(context, builder, signature.args[0], *args)
        shape = ir.FunctionType(ir.VoidType(), [BYTE_POINTER, I32, I32, I32])
        name = "llvm.prefetch.p0"
        function = builder.module.globals.get(name) or ir.Function(builder.module, shape, name)
        address = builder.bitcast(pointer, BYTE_POINTER)
        builder.call(function, [address, I32(for_write), I32(4 - level), I32(1)])
        return context.get_dummy_value()

    return codegen


def load16(context: Any, builder: Any, signature: Any, args: Any, comparison: str) -> Any:
    """Compare 16 items with a value; a 16-bit mask."""
    array_type, _, value_type = signature.args
    pointer = item_pointer(context, builder, array_type, args[0], args[1])
    lane = context.get_data_type(array_type.dtype)
    vector = ir.VectorType(lane, LANES)
    items = builder.load(builder.bitcast(pointer, vector.as_pointer()))
    items.align = array_type.dtype.bitwidth // 8 if array_type.aligned else 1
    value = context.cast(builder, args[2], value_type, array_type.dtype)
    start = builder.insert_element(ir.Constant(vector, ir.Undefined), value, I32(0))
    spread = ir.Constant(ir.VectorType(I32, LANES), [I32(0)] * LANES)
    values = builder.shuffle_vector(start, ir.Constant(vector, ir.Undefined), spread)
    return builder.bitcast(builder.icmp_unsigned(comparison, items, values), ir.IntType(LANES))


def type_prefetch(typing: Any, array: Any, index: Any) -> Signature:
    """Type and code of ``prefetch``."""
    return types.void(array, types.uint64), prefetch_codegen(0, 2)


def type_prefetch_write(typing: Any, array: Any, index: Any) -> Signature:
    """Type and code of ``prefetch_write``."""
    return types.void(array, types.uint64), prefetch_codegen(1, 1)


def type_rank16(typing: Any, array: Any, at: Any, value: Any) -> Signature:
    """Type and code of ``rank16``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        mask = load16(context, builder, signature, args, "<")
        return builder.zext(builder.ctpop(mask), ir.IntType(64))

    return types.uint64(array, types.uint64, value), codegen


def type_match16(typing: Any, array: Any, at: Any, value: Any) -> Signature:
    """Type and code of ``match16``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        mask = load16(context, builder, signature, args, "==")
        first = builder.cttz(mask, ir.Constant(ir.IntType(1), 0))
        return builder.zext(first, ir.IntType(64))

    return types.uint64(array, types.uint64, value), codegen


def type_load_word(typing: Any, data: Any, at: Any) -> Signature:
    """Type and code of ``load_word``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = item_pointer(context, builder, signature.args[0], *args)
        word = builder.load(builder.bitcast(pointer, ir.IntType(64).as_pointer()))
        word.align = 1
        return word

    return types.uint64(data, types.uint64), codegen


def type_store_word(typing: Any, data: Any, at: Any, word: Any) -> Signature:
    """Type and code of ``store_word``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = item_pointer(context, builder, signature.args[0], args[0], args[1])
        store = builder.store(args[2], builder.bitcast(pointer, ir.IntType(64).as_pointer()))
        store.align = 1
        return context.get_dummy_value()

    return types.void(data, types.uint64, types.uint64), codegen


def type_trailing_zeros(typing: Any, word: Any) -> Signature:
    """Type and code of ``trailing_zeros``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), codegen


def type_as_keys(typing: Any, array: Any) -> Signature:
    """Type and code of ``as_keys``."""
    given: Any = array
    if array.dtype == types.uint8:
        given = types.Array(types.uint32, 1, "C", readonly=not array.mutable, aligned=False)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if given == array:
            return borrowed(context, builder, array, args[0])
        source = context.make_array(array)(context, builder, args[0])
        keys = context.make_array(given)(context, builder)
        size = context.get_constant(types.intp, 4)
        pointer = builder.bitcast(source.data, keys.data.type)
        shape = [builder.udiv(source.nitems, size)]
        populate(keys, pointer, shape, [size], size, source.meminfo, source.parent)
        return borrowed(context, builder, given, keys._getvalue())

    return given(array), codegen


Position: TypeAlias = Any  # an integer of any width, signed or not
Array: TypeAlias = U8 | U32 | U64 | NDArray[np.int32] | I64 | F64
prefetch = cast(Callable[[Array, Position], None], intrinsic(type_prefetch))
prefetch_write = cast(Callable[[Array, Position], None], intrinsic(type_prefetch_write))
rank16 = cast(Callable[[Array, Position, Position], Any], intrinsic(type_rank16))
load_word = cast(Callable[[U8, Position], np.uint64], intrinsic(type_load_word))
store_word = cast(Callable[[U8, Position, Position], None], intrinsic(type_store_word))
trailing_zeros = cast(Callable[[np.uint64], np.uint64], intrinsic(type_trailing_zeros))
match16 = cast(Callable[[Array, Position, Position], Any], intrinsic(type_match16))
as_keys = cast(Callable[[Array], Any], intrinsic(type_as_keys))
