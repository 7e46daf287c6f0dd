"""Damaged dumps: an error of the package that says where, or a legal load; never anything else.

``NKGRAPH_DAMAGE`` sets how many seeded changes each file gets, and at how many bytes it is cut.
"""

import contextlib
import dataclasses
import os
import random
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from nkgraph.errors import FormatError, LimitError
from nkgraph.storage import reddb
from nkgraph.storage.reddb import Limits, dump

ROUNDS = int(os.environ.get("NKGRAPH_DAMAGE", "12"))
FILES = sorted((Path(__file__).parent / "data" / "reddb").glob("*.rdst"))
NAMES = [path.stem for path in FILES]
LIMITS = Limits(value_bytes=1 << 20, total_bytes=1 << 22)


def crc_of(content):
    return zlib.crc32(content).to_bytes(4, "little")


def content_of(path):
    data = path.read_bytes()
    return data[:-4] if data[4] >= 3 else data


def sealed(content):
    return content + crc_of(content) if len(content) > 4 and content[4] >= 3 else content


def attempt(read, data):
    """Return the store or the error, which must say where."""
    error = None
    try:
        return read(data)
    except (FormatError, LimitError) as caught:
        error = caught
    assert "at byte" in str(error)
    if isinstance(error, FormatError):
        assert 0 <= error.offset <= len(data)
    return error


def answer(data):
    """Read in both ways, and if that is legal, write, read again and load.

    Returns the store or the error.
    """
    store = attempt(lambda data: dump.parse(data, "x.rdst", LIMITS), data)
    lazy = attempt(lambda data: reddb.loads(data, LIMITS), data)
    assert type(store) is type(lazy), (store, lazy)
    if not isinstance(store, reddb.Store):
        return store
    assert lazy == store
    assert lazy.remarks == store.remarks
    written = reddb.dumps(store)
    assert reddb.dumps(reddb.loads(data, LIMITS)) == written
    again = dump.parse(written, "x.rdst", LIMITS)
    assert again == store
    with contextlib.suppress(FormatError, LimitError):
        store.loaded()
    return store


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_files_cut_short(path):
    data = path.read_bytes()
    legal = []
    for size in range(len(data)):
        try:
            dump.parse(data[:size])
            legal.append(size)
        except FormatError:
            pass
        if size == 400 and data[4] < 3:
            break  # no CRC: each of them would be read to its end; the next test has the rest
    assert not legal or data[4] < 3


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_contents_cut_short(path):
    """With a CRC that fits: at every byte of small files, and all along larger ones."""
    content = content_of(path)
    step = max(1, len(content) ** 2 // (40_000 * ROUNDS))
    whole = dump.parse(sealed(content))
    sizes = sorted({*range(0, len(content), step), *range(max(0, len(content) - 20), len(content))})
    for size in sizes:
        found = answer(sealed(content[:size]))
        if isinstance(found, reddb.Store):
            # Only what is optional at the end can be missing, or was ignored anyway.
            if found.collections != whole.collections:
                assert content[4] in (4, 5, 6)  # a message at the end may end before its tail
                message, stored = last_of(found), last_of(whole)
                assert isinstance(message.data, reddb.QueueData)
                tail = {"priority": None, "max_attempts": 3, "acked": False}
                assert message.data == dataclasses.replace(stored.data, **tail)
                message.data = stored.data
            assert found.collections == whole.collections
            assert found.cross_refs in ([], whole.cross_refs)


def last_of(store):
    return list(store.collections.values())[-1][-1]


def changed(rng, content):
    """Change a few bytes: any to any, lengths to extremes, parts repeated, moved or taken out."""
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        data += bytes(max(0, 9 - len(data)))
        at = rng.randrange(8, len(data))
        kind = rng.randrange(8)
        if kind < 2:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            data[at] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, 28, 0x85, 0x86, 11, 6])
        elif kind == 3:
            data[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", bytes(4), b"\xff\xff\xff\x7f"])
        elif kind == 4:
            data[at:at] = rng.choice([b"\xff\xff\xff\xff\x0f", rng.randbytes(rng.randrange(1, 9))])
        elif kind == 5:
            del data[at : at + rng.randrange(1, 20)]
        elif kind == 6:
            other = rng.randrange(len(data))
            data[at : at + 16] = data[other : other + 16]
        else:
            data[4] = rng.randrange(1, 11)
    return bytes(data)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_changed_files(path):
    rng = random.Random(path.stem)
    content = content_of(path)
    rounds = ROUNDS * 8 if len(content) < 4000 else ROUNDS
    for _ in range(rounds):
        answer(sealed(changed(rng, content)))


def test_any_bytes():
    rng = random.Random(5)
    for _ in range(ROUNDS * 40):
        version = rng.randrange(1, 11)
        content = b"RDST" + version.to_bytes(4, "little") + rng.randbytes(rng.randrange(60))
        answer(sealed(content))


# -- files that ask for more memory than there is -------------------------------------------------

BOMBS = {
    "collections": "ffffffff0f",
    "entities": "01 00 ffffffff0f",
    "record length": "01 00 01 ffffffff" + "00" * 20,
    "name": "01 ffffffff0f",
    "columns": "01 00 01 01 0300 00 ffffffff0f" + "00" * 40,
    "array": "01 00 01 01 0300 00 01 1c ffffffff0f" + "00" * 40,
    "vector": "01 00 01 01 0300 00 01 0b ffffffff0f" + "00" * 40,
    "text": "01 00 01 01 0300 00 01 05 ffffffff0f" + "00" * 40,
    "properties": "01 00 01 01 0300 01 ffffffff0f" + "00" * 40,
    "dense": "01 00 01 01 0300 03 ffffffff0f" + "00" * 40,
    "tags": "01 00 01 01 0300 04 00 00 0000000000000000 ffffffff0f" + "00" * 40,
    "embeddings": "01 00 01 01 0300 00 00 00 00 ffffffff0f" + "00" * 40,
    "references": "01 00 01 01 0300 00 00 00 00 00 ffffffff0f" + "00" * 40,
    "section": "00 ffffffff0f" + "00" * 40,
    "aux": "00 00 ffffffff",
    "packed": "01 00 01 01 0300 00 01 86 ffffffff0f 09 28b52ffd0000010000" + "00" * 40,
}
"""After the header, version 6 (7 and 10 where they need it): counts that no file can hold."""
CODE = """
import resource, sys, zlib
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
import zstandard
from nkgraph.errors import FormatError, LimitError
from nkgraph.storage import reddb
for path in sys.argv[1:]:
    try:
        reddb.load(path)
        said = "read"
    except (FormatError, LimitError) as error:
        said = type(error).__name__
    print(path.rsplit("/", 1)[1], said, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def packed_bombs():
    """Compressed values that expand, some of them beyond what they declare."""
    import zstandard

    zeros = zstandard.ZstdCompressor(level=3).compress(bytes(200 << 20))
    endless = zstandard.ZstdCompressor(level=3, write_content_size=False).compress(bytes(200 << 20))
    long = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=31, enable_ldm=1)
    )
    window = long.compressobj()
    wide = window.compress(b"x") + window.flush()

    def row(values):
        return b"\1\0\1\1\3\0\0" + varint(len(values)) + b"".join(values) + bytes(6)

    def packed(declared, data):
        return b"\x86" + varint(declared) + varint(len(data)) + data

    return {
        "expands in all": row([packed(200 << 20, zeros)] * 30),
        "expands beyond": row([packed(100, zeros)] * 30),
        "expands unsaid": row([packed(100, endless)] * 30),
        "looks far back": row([packed(1, wide)]),
        "is padded": row([packed(255 << 20, b"")] * 30),
    }


def varint(value):
    from nkgraph.storage.reddb import varint as numbers

    out = bytearray()
    numbers.write(out, value)
    return bytes(out)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are those of Linux")
def test_no_file_asks_for_memory(tmp_path):
    contents = {name: bytes.fromhex(text) for name, text in BOMBS.items()} | packed_bombs()
    framed = {"record length": 7, "aux": 10}
    paths = []
    for name, content in contents.items():
        head = b"RDST" + framed.get(name, 6).to_bytes(4, "little")
        paths.append(tmp_path / name.replace(" ", "-"))
        paths[-1].write_bytes(sealed(head + content))
    result = subprocess.run(
        [sys.executable, "-c", CODE, *map(str, paths)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    said = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()}
    assert len(said) == len(paths)
    for name in BOMBS:
        error = "LimitError" if name == "packed" else "FormatError"
        assert said[name.replace(" ", "-")][0] == error, name
    assert said["expands-in-all"][0] == "LimitError"
    assert said["is-padded"][0] == "LimitError"
    assert said["expands-beyond"][0] == said["expands-unsaid"][0] == "FormatError"
    assert said["looks-far-back"][0] == "FormatError"
    assert max(int(used) for _, used in said.values()) < 2_000_000


def test_nested_arrays_are_refused_soon():
    content = b"RDST\6\0\0\0\1\0\1\1\3\0\0\1" + b"\x1c\1" * 200_000 + bytes(8)
    found = answer(sealed(content))
    assert isinstance(found, LimitError)
    assert "entity 0: columns at byte" in str(found)
    assert "arrays 257 deep" in str(found)
