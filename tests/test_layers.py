"""Imports point one way, and the front door costs little."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import nkgraph

PACKAGE = Path(nkgraph.__file__).parent
LEAVES = {f"nkgraph.{name}" for name in ("arguments", "arrays", "dtypes", "errors", "threads")}
HEAVY = ("numba", "zstandard", "scipy", "pandas", "pyarrow", "polars", "duckdb", "igraph",
         "networkit", "networkx", "matplotlib")  # fmt: skip


@cache
def modules():
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found.append((".".join(part for part in parts if part != "__init__"), path))
    return found


def imports(path, top_level_only=False):
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer(module):
    if module.startswith("nkgraph.kernels"):
        return "kernels"
    if module.startswith("nkgraph.storage"):
        return "storage"
    return "leaf" if module in LEAVES else "orchestration"


@cache
def known(name):
    return {m for m, _ in modules()} & {name}


def test_imports_point_one_way():
    rank = {"kernels": 0, "leaf": 0, "storage": 1, "orchestration": 2}
    for module, path in modules():
        for name in imports(path):
            for target in known(name):
                if target == "nkgraph" or module in ("nkgraph", "nkgraph.__main__"):
                    continue
                assert rank[layer(target)] <= rank[layer(module)], f"{module} imports {target}"


def test_kernels_import_only_dtypes_and_kernels():
    for module, path in modules():
        if layer(module) == "kernels":
            for name in imports(path):
                if name.startswith("nkgraph."):
                    assert name.startswith(("nkgraph.kernels", "nkgraph.dtypes")), (module, name)


def test_only_kernels_import_numba_and_only_functions_import_the_rest():
    for module, path in modules():
        for name in imports(path, top_level_only=True):
            root = name.split(".")[0]
            if root in HEAVY:
                assert root == "numba", f"{module} imports {root}"
                assert layer(module) == "kernels", f"{module} imports {root}"


def run(code):
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_import_loads_nothing_heavy():
    code = f"import sys, nkgraph; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert run(code).strip() == "[]"


def test_graph_modules_load_without_numba():
    code = f"""
import sys, nkgraph as nk
g = nk.Graph(); nk.open; nk.find_sorted; nk.import_edges
print([m for m in {HEAVY!r} if m in sys.modules])"""
    assert run(code).strip() == "[]"


def test_opening_a_directory_loads_nothing_of_dumps(tmp_path):
    path = str(tmp_path / "g")
    code = f"""
import sys, nkgraph as nk
nk.create({path!r}).close()
nk.open({path!r}).close()
print([m for m in sys.modules if "reddb" in m])"""
    assert run(code).strip() == "[]"


def test_every_public_name_is_there():
    for name in nkgraph.__all__:
        assert getattr(nkgraph, name) is not None
