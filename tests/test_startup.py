"""A first call where nothing may be written: a read-only installation, no home."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nkgraph

CODE = """
import sys, warnings
import numpy as np
import nkgraph as nk
assert nk.__file__.startswith(sys.argv[1]), nk.__file__
g = nk.Graph()
ids = g.add_nodes("N", np.arange(100), {"x": np.arange(100)})
g.add_edges("E", ids[:-1], ids[1:])
assert g.csr("E").targets.tolist() == list(range(1, 100))
print("fine")
"""


def test_a_read_only_installation_and_no_home(tmp_path):
    site = tmp_path / "site"
    ignore = shutil.ignore_patterns("__pycache__", "data")
    shutil.copytree(Path(nkgraph.__file__).parent, site / "nkgraph", ignore=ignore)
    # Root may write anywhere, so the places are blocked as well as closed: a file where the
    # folder of compiled kernels would be, and a home below a device.
    for folder in (site / "nkgraph", site / "nkgraph" / "kernels"):
        (folder / "__pycache__").write_text("")
    for path in [site, *site.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.devnull,
        "PYTHONPATH": str(site),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    result = subprocess.run(
        [sys.executable, "-c", CODE, str(site)],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    for path in [site, *site.rglob("*")]:
        path.chmod(0o755)
    assert result.stdout == "fine\n", result.stderr
    assert result.stderr.count("no writable directory for compiled kernels") == 1
