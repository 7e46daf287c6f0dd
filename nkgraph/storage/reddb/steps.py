"""The layouts of a dump as the tables that kernels walk by; see ``nkgraph.kernels.dump_steps``."""

from functools import cache

import numpy as np

from nkgraph import kernels
from nkgraph.arrays import read_only
from nkgraph.dtypes import I8, I64
from nkgraph.storage.reddb import layout
from nkgraph.storage.reddb.layout import Fields, Layout, Limits

_WIDTHS = {"B": 1, "H": 2, "I": 4, "Q": 8, "i": 4, "q": 8, "d": 8, "f": 4}
_PACKED = {"text": layout.PACKED_TEXT, "blob": layout.PACKED_BLOB}
"""Types of values with a compressed form."""


@cache
def steps_of(version: int) -> I8:
    """Return what follows what in a version, read-only."""
    k = kernels.dump_steps
    steps = np.zeros((k.ROWS, k.STEPS), np.int8)
    for block in (k.VALUES, k.KINDS, k.DATA, k.METADATA):
        steps[block : block + 256, 0] = k.UNKNOWN
    _fill(steps, k.VALUES, layout.VALUES, version)
    _fill(steps, k.KINDS, layout.KINDS, version)
    _fill(steps, k.DATA, layout.DATA, version)
    _fill(steps, k.METADATA, layout.METADATA, version)
    for name, code in _PACKED.items():
        steps[code, 0] = k.PACKED_TEXT if name == "text" else k.PACKED_BYTES
        plain = next(each.code for each in layout.VALUES if each.name == name)
        steps[plain, 0] = k.LONG_TEXT if name == "text" else k.LONG_BYTES
    full = version >= layout.FULL_REFERENCES_FROM
    rows: list[tuple[int, int, Fields]] = [
        (k.REFERENCE, 1, layout.OWN_REFERENCE if full else layout.SHORT_REFERENCE),
        (k.SECTION, 1, layout.REFERENCE),
        (k.QUEUE, layout.QUEUE_TAIL_FROM, layout.QUEUE_TAIL),
        (k.LOGICAL, layout.LOGICAL_ID_FROM, layout.LOGICAL_ID_TAIL),
        (k.MVCC, layout.MVCC_FROM, layout.MVCC_TAIL),
    ]
    for row, since, fields in rows:
        if version >= since:
            _put(steps, row, [step for field in fields for step in _steps(*field)])
    return read_only(steps.reshape(-1))


def _fill(steps: I8, block: int, layouts: tuple[Layout, ...], version: int) -> None:
    for each in layouts:
        found: list[int] = []
        for name, form in each.fields:
            if version >= layout.DATA_SINCE.get((each.name, name), 1):
                found += _steps(name, form)
        _put(steps, block + each.code, found)


def _put(steps: I8, row: int, found: list[int]) -> None:
    if len(found) >= steps.shape[1]:
        raise AssertionError("a row of steps is too short")
    steps[row, : len(found)] = found
    steps[row, len(found)] = kernels.dump_steps.END


def _steps(name: str, form: str) -> list[int]:
    k = kernels.dump_steps
    if name == "ref_type":
        return [k.KIND_OF_REFERENCE]
    if form.endswith("?") and form != "?":
        return [k.MAYBE, *_steps(name, form[:-1])]
    if form.endswith("s") and form[:-1].isdigit():
        return [int(form[:-1])]
    if form in _WIDTHS:
        return [_WIDTHS[form]]
    return [{
        "?": k.FLAG, "varint": k.NUMBER, "varint32": k.COUNT, "text": k.TEXT, "bytes": k.BYTES,
        "floats": k.FLOATS, "ip": k.ADDRESS, "values": k.ARRAY, "value": k.VALUE,
        "properties": k.PROPERTIES, "tags": k.TAGS, "long_text": k.WIDE_TEXT,
        "long_bytes": k.WIDE_BYTES, "metadata": k.ITEMS, "metadata_fields": k.FIELDS,
        "target": k.TARGET, "targets": k.TARGET_LIST,
    }[form]]  # fmt: skip


def limits_of(version: int, limits: Limits, size: int) -> I64:
    """Return what the walk over a file of ``size`` bytes compares with."""
    k = kernels.dump_steps
    records = version >= layout.RECORDS_FROM
    full = version >= layout.FULL_REFERENCES_FROM
    values = {
        k.MOST_DEPTH: max(0, min(limits.depth, size)),
        k.MOST_VALUE: min(limits.value_bytes, 2**62),
        k.MOST_PACKED: min(limits.total_bytes, 2**62),
        k.LONG_FROM: layout.COMPRESSED_FROM,
        k.RECORDS: records,
        k.RECORD_MAGIC: int.from_bytes(layout.RECORD_MAGIC, "little"),
        k.AUX: version >= layout.AUX_FROM,
        k.QUEUE_DATA: layout.QUEUE_DATA,
        k.REFERENCE_KINDS: len(layout.REF_TYPES),
        k.TARGET_KINDS: len(layout.TARGETS),
        k.CURRENT: version == layout.VERSION,
    }
    least = {
        k.LEAST_COLLECTION: "collection", k.LEAST_ITEM: "record" if records else "entity",
        k.LEAST_VALUE: "value", k.LEAST_FLOAT: "f32", k.LEAST_PROPERTY: "property",
        k.LEAST_TAG: "tag", k.LEAST_EMBEDDING: "embedding",
        k.LEAST_REFERENCE: "own reference" if full else "short reference",
        k.LEAST_LINK: "reference", k.LEAST_FIELD: "metadata field",
        k.LEAST_METADATA: "metadata value", k.LEAST_TARGET: "target",
    }  # fmt: skip
    values |= {place: layout.SMALLEST[name] for place, name in least.items()}
    return np.array([values[place] for place in range(k.LIMITS)], np.int64)
