"""Triangles by byte marks over rows that each edge stands in once.

Nodes are named by descending degree, and each edge is in the row of its higher name (the end of
lower degree): ``offsets`` (n + 1,) int64, ``peers`` (k,) uint32, ascending in each row, ``ways``
as ``simple_rows`` has them, or (0,). Such rows are short: at most about sqrt(2 k) (Chiba and
Nishizeki, Arboricity and subgraph listing algorithms, 1985; Latapy, Main-memory triangle
computations, 2008). A triangle a < b < c is found once, at its middle node b: the row of b is
marked, and for each c whose row holds b, the marks of what stands before b in that row are counted.
The work is the number of pairs in a row, over all rows.

So that c need not be looked for, the rows are turned around:

    in_offsets  int64   (n + 1,)  of node b: slots ``in_offsets[b]`` to ``in_offsets[b + 1]``
    spans       uint32  (2 k,)    of each slot: where the row of c starts, and where b stands in it
    owners      uint32  (k,)      of each slot: c; or (0,)
"""

import numpy as np

from nkgraph.dtypes import I64, U8, U32, Int
from nkgraph.kernels._jit import kernel
from nkgraph.kernels.intrinsics import prefetch, prefetch_write

ONE = np.uint64(1)
AHEAD = np.uint64(24)  # rows
BOTH = np.uint8(3)


@kernel
def turn_rows(
    start: Int, stop: Int, offsets: I64, peers: U32, cursor: I64, spans: U32, owners: U32
) -> None:
    """Turn a range of rows around.

    Parameters
    ----------
    cursor : (n,) int64, updated in place
        Next free slot of each node, for this range alone.
    spans, owners : written in place
    """
    owned = owners.size > 0
    last = np.uint64(peers.size - 1) if peers.size else np.uint64(0)
    for node in range(np.uint64(start), np.uint64(stop)):
        first = np.uint64(offsets[node])
        for slot in range(first, np.uint64(offsets[node + ONE])):
            prefetch_write(cursor, peers[min(slot + np.uint64(48), last)])
            at = np.uint64(cursor[np.uint64(peers[slot])])
            cursor[np.uint64(peers[slot])] += 1
            spans[at + at] = np.uint32(first)
            spans[at + at + ONE] = np.uint32(slot)
            if owned:
                owners[at] = np.uint32(node)


@kernel
def count_triangles(
    start: Int, stop: Int, offsets: I64, peers: U32, in_offsets: I64, spans: U32, marks: U8
) -> np.uint64:
    """Count the triangles whose middle node is in a range.

    Parameters
    ----------
    marks : (n,) uint8, scratch
        0, and left so.

    Returns
    -------
    uint64
    """
    total = np.uint64(0)
    end = np.uint64(in_offsets[stop]) - ONE  # past the end of a row too: the next one is near
    for node in range(np.uint64(start), np.uint64(stop)):
        first, last = np.uint64(offsets[node]), np.uint64(offsets[node + ONE])
        in_first, in_last = np.uint64(in_offsets[node]), np.uint64(in_offsets[node + ONE])
        if first == last or in_first == in_last:
            continue
        for slot in range(first, last):
            marks[np.uint64(peers[slot])] = 1
        for at in range(in_first, in_last):
            ahead = min(at + AHEAD, end)
            prefetch(peers, spans[ahead + ahead])
            prefetch(peers, spans[ahead + ahead + ONE])
            for slot in range(np.uint64(spans[at + at]), np.uint64(spans[at + at + ONE])):
                total += np.uint64(marks[np.uint64(peers[slot])])
        for slot in range(first, last):
            marks[np.uint64(peers[slot])] = 0
    return total


@kernel
def tally_triangles(
    start: Int,
    stop: Int,
    offsets: I64,
    peers: U32,
    ways: U8,
    in_offsets: I64,
    spans: U32,
    owners: U32,
    marks: U8,
    counts: I64,
) -> None:
    """Add to ``counts``, (n,), the triangles of each node; of a range of middle nodes.

    With ``ways`` a triangle counts, for each of its nodes, as the edges between the other two: 1,
    or 2 if there is one each way.
    """
    told = ways.size > 0
    end = np.uint64(in_offsets[stop]) - ONE
    for node in range(np.uint64(start), np.uint64(stop)):
        first, last = np.uint64(offsets[node]), np.uint64(offsets[node + ONE])
        in_first, in_last = np.uint64(in_offsets[node]), np.uint64(in_offsets[node + ONE])
        if first == last or in_first == in_last:
            continue
        for slot in range(first, last):
            one_or_two = 2 if told and ways[slot] == BOTH else 1
            marks[np.uint64(peers[slot])] = one_or_two
        of_node = np.int64(0)
        for at in range(in_first, in_last):
            ahead = min(at + AHEAD, end)
            prefetch(peers, spans[ahead + ahead])
            prefetch(peers, spans[ahead + ahead + ONE])
            prefetch(counts, owners[ahead])
            of_owner = np.int64(0)
            stand = np.uint64(spans[at + at + ONE])
            if told:
                between = np.int64(2) if ways[stand] == BOTH else np.int64(1)
                for slot in range(np.uint64(spans[at + at]), stand):
                    peer = np.uint64(peers[slot])
                    mark = np.int64(marks[peer])
                    hit = np.int64(mark != 0)
                    of_owner += mark
                    of_node += hit << np.int64(ways[slot] == BOTH)
                    counts[peer] += hit * between
            else:
                for slot in range(np.uint64(spans[at + at]), stand):
                    peer = np.uint64(peers[slot])
                    mark = np.int64(marks[peer])
                    of_owner += mark
                    counts[peer] += mark
                of_node += of_owner
            counts[np.uint64(owners[at])] += of_owner
        counts[node] += of_node
        for slot in range(first, last):
            marks[np.uint64(peers[slot])] = 0
