"""The pages of ``docs``: their blocks of code, and how each kind is run.

    ```python                 run, page by page in one namespace
    ```text                   right behind it: what it printed
    ```console                lines "$ nkgraph …", run, and what they print
    ```python title="Kùzu"    of a package that the tests do not have: only parsed
    ```sh, ```cypher …        shown

In expected output ``...`` stands for anything.
"""

import contextlib
import doctest
import io
import re
import shlex
from pathlib import Path
from typing import NamedTuple

from nkgraph import cli

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = {str(path.relative_to(DOCS)): path for path in sorted(DOCS.rglob("*.md"))}
FENCE = re.compile(r"^```(\w+)(?: +(\S.*?))?\n(.*?)^```$", re.M | re.S)
FOREIGN = ('title="Kùzu"', 'title="SparrowDB"')
"""What marks a block of a package that the tests do not have."""


class Block(NamedTuple):
    """A block of code, in which line of its page it is, and whether it follows another at once."""

    language: str
    options: str
    code: str
    line: int
    follows: bool


def blocks(text):
    """Every block of a page, in order."""
    found, end = [], -1
    for match in FENCE.finditer(text):
        language, options, code = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        follows = end >= 0 and not text[end : match.start()].strip()
        found.append(Block(language, options or "", code, line, follows))
        end = match.end()
    return found


def agree(wanted, found, where):
    """Compare what was printed with what the page says."""
    same = doctest.OutputChecker().check_output(wanted, found, doctest.ELLIPSIS)
    assert same, f"{where}: the page says\n{wanted}\nit printed\n{found}"


def run_page(name):
    """Run a page in the current folder."""
    namespace, printed = {"__name__": name}, None
    for block in blocks(PAGES[name].read_text("utf-8")):
        where = f"docs/{name}, line {block.line}"
        if block.language == "python":
            printed = None
            code = compile("\n" * block.line + block.code, f"docs/{name}", "exec")
            if block.options not in FOREIGN:
                assert not block.options, f"{where}: what is {block.options}?"
                printed = run_python(code, namespace)
        elif block.language == "console":
            run_console(block, where)
        elif block.language == "text" and block.follows and printed is not None:
            agree(block.code, printed, where)
            printed = None


def run_python(code, namespace):
    """Run code; what it printed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, namespace)
    return out.getvalue()


def run_console(block, where):
    """Run ``nkgraph`` commands and compare what they print, standard error included."""
    assert block.code.startswith("$ "), where
    for piece in re.split(r"^\$ ", block.code, flags=re.M)[1:]:
        line, _, wanted = piece.partition("\n")
        program, *arguments = shlex.split(line)
        assert program == "nkgraph", f"{where}: only nkgraph can be run, not {program}"
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            cli.main(arguments)
        agree(wanted, out.getvalue(), where)
