"""What ``warmup`` promises: every kernel, and nothing left to compile afterwards.

Compiling all takes a minute, so the processes share the cache of the suite, which may have all.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nkgraph import kernels
from nkgraph.kernels import compiling

ROOT = Path(__file__).parent.parent
WARM = """
import json
import nkgraph as nk
from nkgraph import cli, warm
from nkgraph.kernels import compiling
assert cli.main(["warmup", "--json"]) == 0
reached = [name for name, kernel in compiling.kernels().items() if kernel.signatures]
warm.STAGES = warm.STAGES[:1]
print(json.dumps([nk.warmup(), reached]))
"""
CALLS = """
import json, sys
from pathlib import Path
import nkgraph as nk
from nkgraph import cli
from nkgraph.kernels import compiling
heard = []
data = Path(sys.argv[1])
with compiling.watched(heard.append):
    for block in json.loads(sys.argv[2]):
        exec(block, {})
    with nk.open("social") as g:
        assert nk.pagerank(g).size >= 5
    for command in (
        ["demo", "lsqb", "--json"],
        ["import", "votes.txt", "-o", "votes", "--json"],
        ["import", str(data / "umls" / "train.tsv.gz"), "-o", "umls", "--json"],
        ["verify", "votes", "--json"],
        ["query", "lsqb", "--node", "Person", "32", "--hop", "Person_knows_Person"],
        ["compact", "votes", "--json"],
        ["export", "lsqb", "-o", "lsqb.rdst", "--json"],
        ["verify", "lsqb.rdst", "--json"],
    ):
        assert cli.main(command) == 0, command
    with nk.open("lsqb", "r+") as g:
        people = g.nodes("Person")
        assert (nk.bfs(g, people[0], direction="both").depths >= -1).all()
        nk.connected_components(g)
        nk.triangle_count(g)
        g.remove_nodes(people[:3])
        g.seal()
        g.find("Person", g.ids(people[3:9]))
        g.verify()
    for path in json.loads(sys.argv[3]):
        with nk.open(path) as g:
            g.verify()
            g.csr()
            g.ids(g.nodes())
            for name in g.node_types:
                g.read_nodes(name)
            for name in g.connection_types:
                g.read_edges(name)
print()
print(json.dumps([len(heard), [one.name for one in heard if not one.cached]]))
"""
PARTS = {"values.read_value", "values.skip_payload", "values.write_value"}
"""Kernels that others have compiled into them; tests alone call them from Python."""


def fresh(code, *arguments, cwd=None):
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=cwd,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def lines():
    """What ``nkgraph warmup`` prints, whatever the cache holds."""
    result = subprocess.run(
        [sys.executable, "-m", "nkgraph", "warmup"], capture_output=True, text=True, check=True
    )
    return result.stdout.splitlines()


@pytest.fixture(scope="module")
def warm(lines):
    """What a second process tells: the report, what is left for a second call, what is reached."""
    result = subprocess.run(
        [sys.executable, "-c", WARM], capture_output=True, text=True, check=True
    )
    report, _, rest = result.stdout.rstrip().rpartition("\n")
    return json.loads(report), *json.loads(rest)


def test_the_command_prints_a_line_a_kernel(lines):
    *kernels, total = lines
    shape = r"\w+\.\w+ +\d+\.\d{3} s  (compiled|cached)"
    assert all(re.fullmatch(shape, line) for line in kernels)
    compiled = sum(line.endswith("compiled") for line in kernels)
    cached = len(kernels) - compiled
    assert re.fullmatch(rf"{compiled} compiled, {cached} from the cache, in \d+\.\d s", total)


def test_the_second_process_compiles_nothing(lines, warm):
    report, again, _ = warm
    assert [one["name"] for one in report["kernels"] if not one["cached"]] == []
    assert sorted({line.split()[0] for line in lines[:-1]} - PARTS) == sorted(
        {one["name"] for one in report["kernels"]}
    )
    assert (report["compiled"], report["cached"]) == (0, len(report["kernels"]))
    assert 0 < sum(one["seconds"] for one in report["kernels"]) < report["seconds"]
    assert again == []


def test_every_kernel_is_reached(warm):
    names = set(compiling.kernels())
    assert names - set(warm[2]) == PARTS
    assert len(names) > 150
    assert {"csr.count_buckets", "dump.walk", "pagerank.sweep", "walk.walk_log"} <= names
    assert not {"dump_steps.fail", "stitch.fill_shared"} & names  # steps of others


def test_real_calls_compile_nothing(warm, data, tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert len(blocks) >= 4
    others = [
        *(str(data / "kglite" / name / "graph") for name in ("basic", "columns_bin", "seg_full")),
        *(str(data / "kglite" / name / "graph") for name in ("legacy", "overflow", "values")),
        *(str(data / "sparrowdb" / name / "db") for name in ("graph_small", "graph_ldbc_mini")),
        *(str(data / "reddb" / f"{name}.rdst") for name in ("v10_graph", "v10_kinds", "v06_graph")),
    ]
    heard, compiled = fresh(CALLS, str(data), json.dumps(blocks), json.dumps(others), cwd=tmp_path)
    assert heard > 100
    assert compiled == []


def test_watched_tells_what_is_compiled_and_what_is_fetched(tmp_path):
    code = """
import json, os, sys
os.environ["NUMBA_CACHE_DIR"] = sys.argv[1]
from nkgraph.kernels import compiling
name, arguments = "walk.fill_crc_table", "uint32 uint32[]!"
heard = []
with compiling.watched(heard.append):
    compiling.compile_for(name, arguments)
    compiling.compile_for(name, arguments)
print(json.dumps(heard))
"""
    for cached in (False, True):
        [(name, seconds, found)] = fresh(code, str(tmp_path))
        assert (name, found) == ("walk.fill_crc_table", cached)
        assert seconds > 0


def test_nothing_is_heard_afterwards():
    heard = []
    with compiling.watched(heard.append):
        pass
    table = np.zeros(256, np.uint32)
    kernels.walk.fill_crc_table(np.uint32(0x82F63B78), table)
    assert table[1] == 0xF26B8303  # of CRC-32C
    assert heard == []


def test_a_constant_is_compiled_as_any_number():
    """Else numba compiles what is called with a constant for that constant alone."""
    code = """
import json, sys
from nkgraph.kernels import compiling, dump_steps
compiling.kernels()["dump_parts.list_section"]._cache.load_overload = lambda *given: None
compiling.compile_for("dump_parts.list_section", "uint8[] int64 uint64[,]! int64[,]!")
from nkgraph.kernels import dump_parts
print(json.dumps([list(map(str, dump_parts._reference.signatures))]))
"""
    [signatures] = fresh(code)
    assert len(signatures) == 1
    assert "Literal" not in signatures[0]


def test_with_an_untried_numba_kernels_are_compiled_as_it_does(tmp_path):
    code = """
import json, os, sys
os.environ["NUMBA_CACHE_DIR"] = sys.argv[1]
import numba
numba.__version__ = "99.0.0"
import numpy as np
from nkgraph.kernels import _jit, walk
assert not _jit.KNOWN
data = np.frombuffer(bytes(range(1, 60)), np.uint8)
state = np.zeros(8, np.int64)
print(json.dumps([walk.count_entries(data, state), len(walk.count_entries.signatures)]))
"""
    assert fresh(code, str(tmp_path))[1] == 1
