"""``catalog.tlv`` of SparrowDB: what it may hold, and each error about it."""

import pytest
import sparrow_databases as sparrow

import nkgraph as nk

LABEL = bytes.fromhex("0100 0500 0000 0000 0100 50")  # the example of the format description


def opened(tmp_path, catalog):
    sparrow.save({"catalog.tlv": catalog, "nodes/0/hwm.bin": sparrow.u64(2)}, tmp_path)
    return nk.open(tmp_path)


@pytest.mark.parametrize("count", range(9))
def test_zero_bytes_between_entries(tmp_path, count):
    zeros = bytes(count)
    draft = sparrow.Draft()
    draft.table(0, 0, 0, "KNOWS")
    catalog = zeros + LABEL + zeros + bytes(draft.catalog) + zeros
    with opened(tmp_path, catalog) as g:
        assert g.node_types == {"P": 2}
        assert g.ids([0, 1]).tolist() == [0, 1]


def test_an_empty_catalog(tmp_path):
    for catalog in (b"", bytes(5)):
        with opened(tmp_path, catalog) as g:
            assert (g.node_count, g.edge_count, g.node_types) == (0, 0, {})
            assert g.csr().targets.size == 0


def entry(tag, payload):
    draft = sparrow.Draft()
    draft.entry(tag, payload)
    return bytes(draft.catalog)


def table(number, source, target):
    draft = sparrow.Draft()
    draft.table(number, source, target, "IN")
    return bytes(draft.catalog)


SECOND = entry(1, b"\1\0" + b"\4\0" + b"Town")
BROKEN = [
    (LABEL + entry(7, b""), "tag of an entry at byte 11: expected 1 to 6, found 7"),
    (LABEL + b"\x01\x01\0\0\0\0", "tag of an entry at byte 11: expected 1 to 6, found 257"),
    (LABEL[:-1], "entry at byte 0: expected tag, length and payload, found 10 bytes left"),
    (LABEL + b"\1", "entry at byte 11: expected tag, length and payload, found 1 bytes left"),
    (LABEL + b"\1\0\xff\xff\xff\xff", "entry at byte 11: expected tag, length"),
    (entry(1, b"\0\0\1\0\xff"), r"name at byte 10: expected UTF-8, found b'\\xff'"),
    (entry(1, b"\0\0\3\0\xed\xa0\x80"), "name at byte 10: expected UTF-8, found"),
    (entry(1, b"\0\0\0\0"), "name at byte 8: expected a name, found an empty one"),
    (entry(1, b"\0"), "entry at byte 6: expected >= 2 bytes, found 1"),
    (entry(1, b"\0\0\1\0"), "length of a name at byte 8: expected 0, what is left .* found 1"),
    (entry(1, b"\0\0\1\0ab"), "length of a name at byte 8: expected 2, what is left .* found 1"),
    (LABEL + entry(1, b"\0\0\1\0Q"), "label 0 at byte 17: expected one entry, found a second one"),
    (LABEL + entry(1, b"\1\0\1\0P"), "label 'P' at byte 21: expected one entry, found a second"),
    (LABEL + table(3, 0, 9), r"label of IN at byte 25: expected one of the labels \[0\], found 9"),
    (LABEL + table(3, 9, 0), r"label of IN at byte 25: expected one of the labels \[0\], found 9"),
    (LABEL + 2 * table(3, 0, 0), "relationship table 3 at byte 39: expected one entry, found a se"),
    (LABEL + entry(2, bytes(11)), "entry at byte 17: expected >= 12 bytes, found 11"),
    (LABEL + entry(6, bytes(7)), "label set at byte 17: expected 8 bytes and 2 for each label"),
    (LABEL + entry(6, bytes(6) + b"\1\0"), "label set at byte 17: .* found 8"),
]


@pytest.mark.parametrize(("catalog", "message"), BROKEN)
def test_what_is_refused(tmp_path, catalog, message):
    with pytest.raises(nk.FormatError, match=rf"catalog\.tlv: {message}") as caught:
        opened(tmp_path, catalog)
    assert isinstance(caught.value, nk.VersionError) == message.startswith("tag")
    with pytest.raises(sparrow.Damaged):
        sparrow.read_catalog(catalog)


@pytest.mark.parametrize(
    ("slot", "further", "message"),
    [
        (2, 1, r"slot of label 0: expected < 2, found 2"),
        (0, 5, r"label of a label set: expected one of \[0, 1\], found 5"),
    ],
)
def test_label_sets_that_lead_nowhere(tmp_path, slot, further, message):
    draft = sparrow.Draft()
    draft.label_set(0, slot, [further])
    with opened(tmp_path, LABEL + SECOND + bytes(draft.catalog)) as g:
        with pytest.raises(nk.FormatError, match=message):
            g.secondary_labels  # noqa: B018 - read for its error
        assert message.replace("\\", "").partition(":")[0] in str(g.verify())
