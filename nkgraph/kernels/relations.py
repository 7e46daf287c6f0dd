"""Turn the edges of a SparrowDB relationship table into endpoint records.

    offsets, neighbours  uint64  (n + 1,), (m,)  rows and neighbours are slots
    delta                uint32  (r, 5)  source slot, source label, target slot, target label, table
    alive                uint8   (mark,)  of one label by slot: 1 for a node, 0 for a deleted one
    words                uint64  (e, 2)  source | target << 32 as node ids, connection type

A slot is added to the ``base`` of its label to give the node id. Edges without a node at both
ends are left out.
"""

import numpy as np

from nkgraph.dtypes import U8, U32, U64
from nkgraph.kernels._jit import kernel

TABLE, LABEL = 1, 2
"""What is wrong with a record of the delta log: its table, or the label of an end."""


@kernel
def join_rows(
    offsets: U64,
    neighbours: U64,
    source_alive: U8,
    target_alive: U8,
    source_base: np.uint64,
    target_base: np.uint64,
    conn_type: np.uint64,
    at: int,
    words: U64,
) -> int:
    """Write edges in file order from ``words[at]`` on; returns where they end.

    ``offsets`` are checked: they never descend, and stay within ``neighbours``.
    """
    rows = min(np.uint64(offsets.size - 1), np.uint64(source_alive.size))
    for row in range(rows):
        if not source_alive[row]:
            continue
        source = row + source_base
        for slot in range(offsets[row], offsets[row + np.uint64(1)]):
            target = neighbours[slot]
            if target < np.uint64(target_alive.size) and target_alive[target]:
                words[at, 0] = source | (target + target_base) << np.uint64(32)
                words[at, 1] = conn_type
                at += 1
    return at


@kernel
def join_delta(
    delta: U32,
    table: np.uint32,
    source_label: np.uint32,
    target_label: np.uint32,
    source_alive: U8,
    target_alive: U8,
    source_base: np.uint64,
    target_base: np.uint64,
    conn_type: np.uint64,
    at: int,
    words: U64,
) -> tuple[int, int, int]:
    """Write edges in the order of the log; where they end, and the first bad record or -1.

    Returns
    -------
    at, record, status : int
    """
    for record in range(delta.shape[0]):
        if delta[record, 4] != table:
            return at, record, TABLE
        if delta[record, 1] != source_label or delta[record, 3] != target_label:
            return at, record, LABEL
        source, target = np.uint64(delta[record, 0]), np.uint64(delta[record, 2])
        if source >= np.uint64(source_alive.size) or target >= np.uint64(target_alive.size):
            continue
        if source_alive[source] and target_alive[target]:
            words[at, 0] = (source + source_base) | (target + target_base) << np.uint64(32)
            words[at, 1] = conn_type
            at += 1
    return at, -1, 0


@kernel
def join_keys(words: U64, source_base: np.uint64, target_base: np.uint64, keys: U64) -> None:
    """Write source slot << 32 | target slot of each edge of one table."""
    low = np.uint64(0xFFFFFFFF)
    for edge in range(words.shape[0]):
        ends = words[edge, 0]
        source, target = (ends & low) - source_base, (ends >> np.uint64(32)) - target_base
        keys[edge] = source << np.uint64(32) | target


@kernel
def select_properties(records: U32, column: np.uint32, keys: U64, words: U64, rows: U32) -> int:
    """Write key, word and number of each record of a column; returns how many.

    ``records`` : (r, 7) source slot u64, target slot u64, column, word u64. Records of slots beyond
    32 bits belong to no edge and are passed over.
    """
    count = 0
    for record in range(records.shape[0]):
        if records[record, 4] == column and records[record, 1] == 0 and records[record, 3] == 0:
            source, target = np.uint64(records[record, 0]), np.uint64(records[record, 2])
            keys[count] = source << np.uint64(32) | target
            low, high = np.uint64(records[record, 5]), np.uint64(records[record, 6])
            words[count] = low | high << np.uint64(32)
            rows[count] = record
            count += 1
    return count
