"""Random programs against a model of a graph, in memory and on disk.

``NKGRAPH_MODEL`` sets how many programs run. One of them alone, to look at a failure:
``NKGRAPH_MODEL=500 pytest "tests/test_model.py::test_programs[417]"``; its steps are in the output.
"""

import os

import pytest
from programs import Program

PROGRAMS = int(os.environ.get("NKGRAPH_MODEL", "60"))
STEPS = 60


@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_programs(seed, tmp_path):
    Program(seed, tmp_path).run(STEPS)
