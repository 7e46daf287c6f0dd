"""The pages of ``docs`` do what they say: code, output, links and names."""

import importlib.util
import re
import tomllib

import pages
import pytest
from pages import DOCS, FOREIGN, PAGES, ROOT

import nkgraph as nk

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
WITHOUT_CODE = {"comparison.md", "reddb_values.md", "api.md", "install.md", "performance.md"}
FOREIGN_AT_MOST = {"migrating/kuzu.md": 6, "migrating/sparrowdb.md": 2}
"""Blocks of other packages, which nobody runs, are few."""
PENDING: set[str] = set()
"""Names that pages tell of before they are there."""


@pytest.fixture
def reader(tmp_path, monkeypatch, data):
    """A folder as a reader has it at the root of the repository: with ``tests/data``."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "data").symlink_to(data, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    return tmp_path


@pytest.mark.parametrize("name", [name for name in PAGES if name not in WITHOUT_CODE])
def test_every_block_runs(name, reader):
    text = PAGES[name].read_text("utf-8")
    if "import kglite" in text:
        pytest.importorskip("kglite")  # there are wheels for Linux alone
    found = pages.blocks(text)
    foreign = [block for block in found if block.options in FOREIGN]
    assert len(foreign) <= FOREIGN_AT_MOST.get(name, 0)
    assert {block.language for block in found} & {"python", "console"}, "nothing to run"
    pages.run_page(name)


@pytest.mark.parametrize("name", sorted(WITHOUT_CODE & set(PAGES)))
def test_pages_without_code_have_none(name):
    found = pages.blocks(PAGES[name].read_text("utf-8"))
    assert {block.language for block in found} <= {"sh", "text"}


def test_every_fence_is_closed_and_has_a_language():
    for name, path in PAGES.items():
        text = path.read_text("utf-8")
        fences = len(re.findall(r"^ *```", text, re.M))
        assert fences == 2 * len(pages.blocks(text)), name


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("```python\nprint(3)\n```\n\n```text\n4\n```\n", "wrong.md, line 5: the page says\n4"),
        ("```python\nx = 3\n```\ntext\n```python\nassert x == 4\n```\n", None),
        ('```python title="Kuzu"\n1\n```\n', "line 1: what is title"),
        ("```console\n$ nkgraph info g\nfine\n```\n", "it printed\nnkgraph: g: no such graph"),
        ("```console\n$ rm -r g\n```\n", "only nkgraph can be run, not rm"),
    ],
)
def test_what_is_wrong_on_a_page_is_found(page, message, reader, monkeypatch):
    (reader / "wrong.md").write_text(page)
    monkeypatch.setitem(PAGES, "wrong.md", reader / "wrong.md")
    with pytest.raises(AssertionError, match=message):
        pages.run_page("wrong.md")


def test_dots_stand_for_anything():
    pages.agree("3 nodes in ... s\n", "3 nodes in 0.2 s\n", "here")


# -- links and names --------------------------------------------------------------------------


def anchors(text):
    """What the headings of a page are called in links, as mkdocs makes them."""
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    plain = [re.sub(r"[^\w\s-]", "", re.sub(r"`", "", title)).strip().lower() for title in titles]
    return {re.sub(r"[-\s]+", "-", title) for title in plain}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name):
    text = PAGES[name].read_text("utf-8")
    for link in LINK.findall(re.sub(r"```.*?```", "", text, flags=re.S)):
        if link.startswith(("https://", "http://")):
            continue
        page, _, anchor = link.partition("#")
        target = (PAGES[name].parent / page).resolve() if page else PAGES[name]
        assert target.is_file(), f"{name}: {link}"
        assert DOCS in target.parents, f"{name}: {link} leaves docs"
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), f"{name}: {link}"


def test_every_page_is_in_the_menu():
    menu = (ROOT / "mkdocs.yml").read_text("utf-8").partition("nav:")[2]
    assert sorted(re.findall(r"\S+\.md", menu)) == sorted(PAGES)


def script(name):
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_list_of_names_is_that_of_the_package():
    text = PAGES["api.md"].read_text("utf-8")
    assert text == script("make_api").page(), "run: python docs/make_api.py"
    listed = re.findall(r"^\| `nk\.(\w+)[`(]", text, re.M)
    assert sorted(listed) == sorted(nk.__all__)


def test_names_on_pages_exist():
    missing = {
        (page, name)
        for page, path in PAGES.items()
        for name in re.findall(r"\bnk\.([A-Za-z_]+)", path.read_text("utf-8"))
        if not hasattr(nk, name)
    }
    assert {name for _, name in missing} <= PENDING


def test_every_extra_is_explained():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    page = PAGES["install.md"].read_text("utf-8")
    for extra in extras["optional-dependencies"]:
        assert f"`{extra}`" in page, extra


def test_each_algorithm_is_defined():
    from nkgraph.algorithms import HOMES

    titles = re.findall(r"^### `(\w+)`$", PAGES["algorithms.md"].read_text("utf-8"), re.M)
    assert sorted(titles) == sorted(HOMES)


def test_the_comparison_is_made_from_results():
    comparison = script("make_comparison")
    row = {
        "contenders": {
            "nkgraph": {"min_s": 0.5, "peak_bytes": 2_000_000},
            "GAP": {"min_s": 0.25, "peak_bytes": None},
        },
        "rival": "GAP",
        "ratio": 2.0,
        "must": 2.0,
        "limit_s": 0.1,
        "missing": {"networkit": "networkit"},
    }
    results = {
        "rows": {"bfs rmat 20": row},
        "machine": {"processor": "Z80", "cores": 2, "memory_bytes": 5},
        "versions": {"numpy": "2.1"},
        "scale": {"node_count": 1 << 20},
    }
    text = comparison.table(results)
    assert "| bfs rmat 20 | 500 | GAP 250 | 2.00 | 2.00 | 5.0 | 2.0 |" in text
    assert "Z80, 2 cores, 1,048,576 nodes, numpy 2.1." in text
    assert "left out: networkit." in text
    page = PAGES["comparison.md"].read_text("utf-8")
    filled = comparison.fill(page, text)
    assert text in filled
    assert comparison.fill(filled, text) == filled
    with pytest.raises(ValueError, match="markers"):
        comparison.fill("nothing", text)
