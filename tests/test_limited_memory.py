"""A graph is searched, ranked and taken apart in place: its rows stay on their maps.

``python tests/limited_memory.py FOLDER NODES EDGES`` does the same with a graph of any size.
"""

import sys

import limited_memory
import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts maps of files apart")
def test_graphs_four_times_as_large_as_the_memory_they_may_have(tmp_path):
    said = limited_memory.check(tmp_path / "g", 50_000, 1_500_000)
    assert said.startswith("done: ")
