"""N-Triples: the grammar of RDF 1.1 against a slow twin, literals to values, damage."""

import datetime
import gzip
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nkgraph as nk
from nkgraph.errors import FormatError, NkgraphError

XSD = "http://www.w3.org/2001/XMLSchema#"
IRI = r'<([A-Za-z][^\x00-\x20<>"{}|^`\\]*:[^\x00-\x20<>"{}|^`\\]*)>'
WORD = r"A-Za-z0-9_:\u0080-\U0010ffff"
LABEL = rf"_:([{WORD}](?:[-.{WORD}]*[-{WORD}])?)"
TERM = rf"(?:{IRI}|{LABEL})"
LITERAL = rf'"((?:[^"\\\n\r]|\\.)*)"(?:@([A-Za-z]+(?:-[A-Za-z0-9]+)*)|\^\^{IRI})?'
LINE = re.compile(rf"[ \t]*{TERM}[ \t]*{IRI}[ \t]*(?:{TERM}|{LITERAL})[ \t]*\.[ \t]*(?:#.*)?")


def twin(text):
    """(subject, predicate, object or literal parts) of each line, without escapes."""
    found = []
    for line in text.split("\n"):
        line = line.removesuffix("\r")
        if not line.strip(" \t") or line.lstrip(" \t").startswith("#"):
            continue
        match = LINE.fullmatch(line)
        if match is None:
            return None
        iri, label, predicate, other, other_label, literal, language, datatype = match.groups()
        subject = iri or f"_:{label}"
        if literal is None:
            found.append((subject, predicate, other or f"_:{other_label}"))
        else:
            tag = f" @{language}" if language else f" ^^{datatype}" if datatype else ""
            found.append((subject, predicate + tag, [literal]))
    return found


def triples(graph):
    """What a graph holds, as the twin says it; literals as texts."""
    found = []
    for name in graph.connection_types:
        sources, targets, _ = graph.edges(name)
        for s, t in zip(graph.ids(sources).tolist(), graph.ids(targets).tolist(), strict=True):
            found.append((s, name, t))
    for kind in graph.node_types:
        table, ids = graph.read_nodes(kind), graph.ids(graph.nodes(kind)).tolist()
        for name in table:
            for key, value in zip(ids, table[name].tolist(), strict=True):
                items = value if isinstance(value, list) else [value]
                found += [(key, name, [item]) for item in items if item is not None]
    return sorted(found, key=repr)


def read(tmp_path, text, *more):
    paths = []
    for number, part in enumerate((text, *more)):
        path = tmp_path / f"{number}.nt"
        path.write_bytes(part if isinstance(part, bytes) else part.encode())
        paths.append(path)
    return nk.import_ntriples(paths if more else paths[0])


def value_of(graph, name):
    return [value for value in graph.read_nodes("Resource")[name].tolist() if value is not None]


SPACED = st.sampled_from(["", " ", "\t ", "  "])
ENDS = st.sampled_from(["<http://a/b>", "<x:y>", "_:b", "_:a.b-c", "_:0é", "<urn:é>"])
TAILS = st.sampled_from(
    [
        '""',
        '"text"',
        '"a b"@en',
        '"ü"@de-CH-1901',
        '"x"^^<x:type>',
        '"# . <x:y>"',
        "<x:y>",
        "_:b",
        "_:z",
    ]
)
BROKEN = st.sampled_from(["", "<x:y>", "<rel>", '"', "_:", "_:-a", '"a', "<a b>", "@en", "^^", "."])
LINES = st.one_of(
    st.builds("{1}{0}{2}{0}{3}{0}.{0}".format, SPACED, ENDS, st.just("<x:p>"), TAILS),
    st.sampled_from(["", "# comment", "  \t", "\t# <x:y>", "<x:s> <x:p> <x:o> . # done"]),
)


@given(st.lists(LINES, max_size=12), st.sampled_from(["\n", "\r\n"]))
def test_lines_match_the_twin(tmp_path_factory, lines, newline):
    text = newline.join(lines)
    graph = read(tmp_path_factory.getbasetemp(), text)
    assert triples(graph) == sorted(twin(text.replace("\r", "")), key=repr)


@given(st.lists(st.one_of(ENDS, TAILS, BROKEN), max_size=5))
def test_terms_in_any_order_match_the_twin(tmp_path_factory, terms):
    text = " ".join([*terms, "."])
    expected = twin(text)
    folder = tmp_path_factory.getbasetemp()
    if expected is None:
        with pytest.raises(FormatError, match="line 1: expected"):
            read(folder, text)
    else:
        assert triples(read(folder, text)) == expected


def test_escapes(tmp_path):
    text = r"""<http://a/\u00e9\U0001F600> <x:p> "\t\b\n\r\f\"\'\\ \u20AC \U0010FFFF é" ."""
    graph = read(tmp_path, text)
    assert graph.ids([0]).tolist() == ["http://a/é😀"]
    assert value_of(graph, "x:p") == ["\t\b\n\r\f\"'\\ € \U0010ffff é"]
    same = read(tmp_path, r"<x:\u0061> <x:p> <x:a> .")
    assert same.node_count == 1


@pytest.mark.parametrize(
    ("literal", "name", "value"),
    [
        (f'"12"^^<{XSD}integer>', "x:p", 12),
        (f'"-9223372036854775808"^^<{XSD}integer>', "x:p", -(2**63)),
        (f'"9223372036854775808"^^<{XSD}integer>', f"x:p ^^{XSD}integer", "9223372036854775808"),
        (f'"007"^^<{XSD}integer>', f"x:p ^^{XSD}integer", "007"),
        (f'"+7"^^<{XSD}integer>', f"x:p ^^{XSD}integer", "+7"),
        (f'""^^<{XSD}integer>', f"x:p ^^{XSD}integer", ""),
        (f'"1.5E3"^^<{XSD}double>', "x:p", 1500.0),
        (f'"0.12345678901234567"^^<{XSD}double>', "x:p", 0.12345678901234567),
        (f'"INF"^^<{XSD}double>', "x:p", float("inf")),
        (f'"-INF"^^<{XSD}double>', "x:p", float("-inf")),
        (f'"Infinity"^^<{XSD}double>', f"x:p ^^{XSD}double", "Infinity"),
        (f'"1e999"^^<{XSD}double>', f"x:p ^^{XSD}double", "1e999"),
        (f'"true"^^<{XSD}boolean>', "x:p", True),
        (f'"0"^^<{XSD}boolean>', "x:p", False),
        (f'"yes"^^<{XSD}boolean>', f"x:p ^^{XSD}boolean", "yes"),
        (f'"2020-02-29"^^<{XSD}date>', "x:p", datetime.date(2020, 2, 29)),
        (f'"0001-01-01"^^<{XSD}date>', "x:p", datetime.date(1, 1, 1)),
        (f'"2021-02-29"^^<{XSD}date>', f"x:p ^^{XSD}date", "2021-02-29"),
        (f'"2020-02-28Z"^^<{XSD}date>', f"x:p ^^{XSD}date", "2020-02-28Z"),
        (
            f'"1969-12-31T23:59:58"^^<{XSD}dateTime>',
            "x:p",
            datetime.datetime(1969, 12, 31, 23, 59, 58),
        ),
        (f'"2020-01-01T24:00:00"^^<{XSD}dateTime>', f"x:p ^^{XSD}dateTime", "2020-01-01T24:00:00"),
        (f'"a"^^<{XSD}string>', "x:p", "a"),
        (f'"1.0"^^<{XSD}decimal>', f"x:p ^^{XSD}decimal", "1.0"),
        ('"a"@en-GB', "x:p @en-GB", "a"),
    ],
)
def test_values_of_known_datatypes_where_they_are_exact(tmp_path, literal, name, value):
    graph = read(tmp_path, f"<x:s> <x:p> {literal} .")
    (found,) = value_of(graph, name)
    assert (type(found), found) == (type(value), value)


def test_days_of_all_years_are_those_of_python(tmp_path):
    days = [datetime.date.fromordinal(number) for number in range(1, 3652059, 7919)]
    lines = [f'<x:{n}> <x:p> "{day}"^^<{XSD}date> .' for n, day in enumerate(days)]
    assert value_of(read(tmp_path, "\n".join(lines)), "x:p") == days


def test_several_values_are_a_list_in_order(tmp_path):
    text = f"""<x:a> <x:p> "1"^^<{XSD}integer> .
<x:b> <x:p> "alone" .
<x:a> <x:p> "two" .
<x:c> <x:q> <x:a> .
<x:a> <x:p> "3.5"^^<{XSD}double> .
<x:a> <x:p> "two" .
"""
    graph = read(tmp_path, text)
    table = graph.read_nodes("Resource")
    assert table["x:p"].tolist() == [[1, "two", 3.5, "two"], "alone", None]
    graph.save(tmp_path / "native")
    with nk.open(tmp_path / "native") as again:
        assert again.read_nodes("Resource")["x:p"].tolist() == table["x:p"].tolist()


def test_labels_of_blank_nodes_belong_to_their_file(tmp_path):
    line = "_:b <x:p> _:c .\n"
    assert read(tmp_path, line, line).ids([0, 1, 2, 3]).tolist() == [
        "_:f1.b",
        "_:f1.c",
        "_:f2.b",
        "_:f2.c",
    ]


def test_many_blocks_and_threads(tmp_path, monkeypatch):
    from nkgraph.storage import textfile

    lines = [f"<x:{n % 97}> <x:p{n % 3}> <x:{n % 89}> ." for n in range(3000)]
    lines += [f'<x:{n % 97}> <x:q> "{n}"@en .' for n in range(500)]
    expected = triples(read(tmp_path, "\n".join(lines)))
    monkeypatch.setattr(textfile, "BLOCK", 1 << 10)
    monkeypatch.setenv("NKGRAPH_THREADS", "3")
    path = tmp_path / "x.nt.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    assert triples(nk.import_ntriples(path)) == expected
    path.write_bytes(gzip.compress("\n".join([*lines, "oops", *lines]).encode()))
    with pytest.raises(FormatError, match="line 3501: expected an IRI or a blank node as subject"):
        nk.import_ntriples(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "a blank node as subject, found 'x'"),
        ("<x:s> _:b <x:o> .", "an IRI as predicate, found '_:b <x:o> .'"),
        ("<x:s> <x:p> .", "a literal as object, found '.'"),
        ("<x:s> <x:p> <x:o>", "a point behind the object, found nothing"),
        ("<x:s> <x:p> <x:o> . x", "the end of the line, or a comment, found 'x'"),
        ("<x:s> <x:p> <x:o> . <x:s>", "the end of the line"),
        ("<s> <x:p> <x:o> .", "an absolute IRI"),
        ("<_:b> <x:p> <x:o> .", "an absolute IRI"),
        ("<x:s s> <x:p> <x:o> .", "a character that an IRI may hold"),
        ("<x:s", "a character that an IRI may hold, or >, found nothing"),
        (r"<x:\u0020> <x:p> <x:o> .", "an escape of N-Triples"),
        (r"<x:\n> <x:p> <x:o> .", "an escape of N-Triples"),
        (r'<x:s> <x:p> "\x" .', "an escape of N-Triples"),
        (r'<x:s> <x:p> "\u12" .', "an escape of N-Triples"),
        (r'<x:s> <x:p> "\uD800" .', "an escape of N-Triples"),
        (r'<x:s> <x:p> "\U00110000" .', "an escape of N-Triples"),
        ('<x:s> <x:p> "a', "a quote at the end of the literal"),
        ('<x:s> <x:p> "a"@ .', "a language tag"),
        ('<x:s> <x:p> "a"@en- .', "a language tag"),
        ('<x:s> <x:p> "a"^<x:t> .', "a language tag, or"),
        ('<x:s> <x:p> "a"^^_:b .', "a language tag, or"),
        ("_: <x:p> <x:o> .", "the label of a blank node"),
        ('"a" <x:p> <x:o> .', "a blank node as subject"),
        (b'<x:s> <x:p> "\xff" .', "UTF-8 text"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, text, message):
    head = b"# one\n<x:a> <x:b> <x:c> .\n"
    with pytest.raises(FormatError, match=r"0.nt: line 3: expected .*" + re.escape(message)):
        read(tmp_path, head + (text if isinstance(text, bytes) else text.encode()))


@pytest.mark.parametrize(
    ("line", "object_", "name"),
    [  # after the cases of the W3C test suite for RDF 1.1 N-Triples
        ("<x:s><x:p><x:o>.", None, "x:p"),
        ("<x:s>\t<x:p>\t<x:o>\t.\t#c", None, "x:p"),
        ("<x:s> <http://e/#!$%25&'()*+,-./09:/@AZ[]_az~?#\u20ac> <x:o> .", None, None),
        ("_:1a <x:p> _:a:b.c-d .", None, "x:p"),
        ('<x:s> <x:p> "\\\\" .', "\\", "x:p"),
        ('<x:s> <x:p> "x\'y\\"z" .', "x'y\"z", "x:p"),
        ('<x:s> <x:p> "\x00\t\x0b\x0c\x0e&([]\x7f" .', "\0\t\v\f\x0e&([]\x7f", "x:p"),
        ('<x:s> <x:p> "\\u006F\\U0000006F" .', "oo", "x:p"),
        ('<x:s> <x:p> "chat"@en-US-x-1a .', "chat", "x:p @en-US-x-1a"),
        ('<x:s> <x:p> "a."^^<x:t#1.> .', "a.", "x:p ^^x:t#1."),
        ('<x:s> <x:p> " # . <x:o> ." . # " .', " # . <x:o> .", "x:p"),
    ],
)
def test_lines_of_the_test_suite(tmp_path, line, object_, name):
    graph = read(tmp_path, line)
    if object_ is None:
        assert graph.edge_count == 1
        assert name in (None, *graph.connection_types)
    else:
        assert value_of(graph, name) == [object_]


def test_no_triples_and_no_file(tmp_path):
    assert read(tmp_path, "# nothing\n").node_count == 0
    assert read(tmp_path, "").node_count == 0
    with pytest.raises(FileNotFoundError):
        nk.import_ntriples(tmp_path / "none.nt")


GOOD = (
    b'_:b.1 <http://a/p> "1\\u00e9"@en-GB . # c\n<x:s><x:p>"2"^^<x:t>.\r\n<x:\\u0061> <x:p> _:b .\n'
)


@given(at=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255), cut=st.booleans())
def test_damage_is_an_error_of_nkgraph(tmp_path_factory, at, byte, cut):
    data = GOOD[:at] if cut else GOOD[:at] + bytes([byte]) + GOOD[at + 1 :]
    try:
        graph = read(tmp_path_factory.getbasetemp(), data)
    except NkgraphError:
        return
    assert graph.edge_count <= 3
