"""Steps that several threads may take at one place of an array: each returns what stood there.

    fetch_add(array, index, value)   add
    fetch_or(array, index, value)    set bits
    fetch_and(array, index, value)   keep bits
    fetch_min(array, index, value)   lower; of integers as unsigned ones, of floats only if neither
                                     is negative or NaN (their bits are then in the same order)
    compare_and_swap(array, index, expected, value)
                                     put ``value`` if ``expected`` stands there
    give_way()                       let another thread have this core: for loops that wait

What a thread wrote before such a step is seen by one that takes a step at the same place later; all
else for certain only after the kernels have returned. Indexes are not checked, and the array is
contiguous and aligned.
"""

import os
from collections.abc import Callable
from typing import Any, TypeAlias, cast

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from nkgraph.dtypes import F64, I64, U32, U64
from nkgraph.kernels.intrinsics import Position, Signature, item_pointer

Array: TypeAlias = U32 | U64 | I64 | F64


def atomic_codegen(operation: str) -> Callable[..., Any]:
    """Code generator of one atomic read, change and write."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array_type, _, value_type = signature.args
        pointer = item_pointer(context, builder, array_type, args[0], args[1])
        value = context.cast(builder, args[2], value_type, array_type.dtype)
        if not isinstance(array_type.dtype, types.Float):
            return builder.atomic_rmw(operation, pointer, value, "acq_rel")
        bits = ir.IntType(array_type.dtype.bitwidth)
        pointer = builder.bitcast(pointer, bits.as_pointer())
        old = builder.atomic_rmw(operation, pointer, builder.bitcast(value, bits), "acq_rel")
        return builder.bitcast(old, value.type)

    return codegen


def type_fetch_add(typing: Any, array: Any, index: Any, value: Any) -> Signature:
    """Type and code of ``fetch_add``."""
    return array.dtype(array, types.uint64, value), atomic_codegen("add")


def type_fetch_or(typing: Any, array: Any, index: Any, value: Any) -> Signature:
    """Type and code of ``fetch_or``."""
    return array.dtype(array, types.uint64, value), atomic_codegen("or")


def type_fetch_and(typing: Any, array: Any, index: Any, value: Any) -> Signature:
    """Type and code of ``fetch_and``."""
    return array.dtype(array, types.uint64, value), atomic_codegen("and")


def type_fetch_min(typing: Any, array: Any, index: Any, value: Any) -> Signature:
    """Type and code of ``fetch_min``."""
    return array.dtype(array, types.uint64, value), atomic_codegen("umin")


def type_compare_and_swap(
    typing: Any, array: Any, index: Any, expected: Any, value: Any
) -> Signature:
    """Type and code of ``compare_and_swap``."""
    item = array.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = item_pointer(context, builder, signature.args[0], args[0], args[1])
        pair = builder.cmpxchg(pointer, args[2], args[3], "acq_rel", "acquire")
        return builder.extract_value(pair, 0)

    return item(array, types.uint64, item, item), codegen


def type_give_way(typing: Any) -> Signature:
    """Type and code of ``give_way``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if os.name == "posix":
            yields = ir.FunctionType(ir.IntType(32), [])
            insert: Any = cgutils.get_or_insert_function  # numba has no types
            function = insert(builder.module, yields, "sched_yield")
            builder.call(function, [])
        return context.get_dummy_value()

    return types.void(), codegen


fetch_add = cast(Callable[[Array, Position, Any], Any], intrinsic(type_fetch_add))
fetch_or = cast(Callable[[Array, Position, Any], Any], intrinsic(type_fetch_or))
fetch_and = cast(Callable[[Array, Position, Any], Any], intrinsic(type_fetch_and))
fetch_min = cast(Callable[[Array, Position, Any], Any], intrinsic(type_fetch_min))
compare_and_swap = cast(
    Callable[[Array, Position, Any, Any], Any], intrinsic(type_compare_and_swap)
)
give_way = cast(Callable[[], None], intrinsic(type_give_way))
