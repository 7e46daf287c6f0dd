"""README and docstrings run as they stand."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest

import nkgraph
from nkgraph.storage.reddb.describe import value_table

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
MODULES = [
    module.name
    for module in pkgutil.walk_packages(nkgraph.__path__, "nkgraph.")
    if not module.name.endswith("__main__")
]


def test_readme_code_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, re.S)
    assert len(blocks) >= 2
    for number, block in enumerate(blocks):
        exec(compile(block, f"README block {number}", "exec"), {})


def test_readme_has_its_two_commands():
    commands = re.search(r"<!-- commands -->\n```sh\n(.*?)```\n<!-- end -->", README, re.S)[1]
    assert commands.splitlines() == [
        "pip install . && nkgraph demo",
        "pip install '.[test]' && pytest",
    ]


@pytest.mark.parametrize("name", ["nkgraph", *MODULES])
def test_docstring_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    found = doctest.testmod(module, extraglobs={"nk": nkgraph, "np": np})
    assert found.failed == 0


def test_public_names_are_documented_with_examples():
    for name in ("Graph", "CSR", "Column", "create", "find_sorted", "count_peers", "import_edges"):
        assert ">>>" in getattr(nkgraph, name).__doc__, name
    for name in nkgraph.__all__:
        if name != "NO_NODE":
            assert getattr(nkgraph, name).__doc__, name


def test_the_table_of_dump_values_is_that_of_the_code():
    text = (ROOT / "docs" / "reddb_values.md").read_text()
    table = re.search(r"<!-- table -->\n(.*?)<!-- end -->", text, re.S)[1]
    assert table == value_table()
