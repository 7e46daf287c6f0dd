"""The examples run as they stand, on the bundled data."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import nkgraph

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("*.py"))
STORY = EXAMPLES / "story_fb15k.py"
WHERE = str(Path(nkgraph.__file__).parent.parent)
"""So that processes find the package that is tested."""


def run(name, *arguments, folder):
    """Run a script in a folder; what it printed."""
    result = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": WHERE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert not result.stderr, result.stderr
    return result.stdout


def test_there_are_three_scripts_and_a_notebook():
    assert len(SCRIPTS) == 3
    assert len(list(EXAMPLES.glob("*.ipynb"))) == 1


def test_the_story_is_short():
    assert len(STORY.read_text("utf-8").splitlines()) < 40


def test_the_story(data, tmp_path):
    out = run(STORY.name, data / "fb15k-237", "picture.png", folder=tmp_path)
    lines = out.splitlines()
    assert lines[0] == "14,541 nodes, 310,116 edges"
    assert lines[1] == "1,097 of 1,885 films are dramas"
    assert lines[2].startswith("most films: {'/m/07s9rl0': ")
    assert lines[4].split() == ["/m/08mbj5d", "0.038678", "4364"]
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_bigger_than_memory(tmp_path):
    out = run("bigger_than_memory.py", "--folder", tmp_path, "--parts", 3, folder=tmp_path)
    assert out.splitlines()[0] == "3 segments, 160,000 edges"
    assert out.splitlines()[2].endswith("Paper 0")


def test_repair_and_convert(data, tmp_path):
    sources = [
        data / "kglite" / "deleted" / "graph",
        data / "sparrowdb" / "graph_small" / "db",
        data / "reddb" / "v10_multi_graph.rdst",
    ]
    out = run("repair_and_convert.py", "out", *sources, folder=tmp_path)
    assert out.count("every rule holds") == 9
    assert "typed look-ups of kglite miss edges" in out
    assert "'p0' names no node" in out


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_notebook(tmp_path, monkeypatch):
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", WHERE)
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    notebook = nbformat.read(EXAMPLES / "tour.ipynb", 4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "commit it without outputs"
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(EXAMPLES)}})
    client.execute()
    printed = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    kinds = {kind for out in printed for kind in out.get("data", {})}
    assert {"text/plain", "text/html", "image/png"} <= kinds
    streams = "".join(out.text for out in printed if out.output_type == "stream")
    assert "components, the largest of" in streams
