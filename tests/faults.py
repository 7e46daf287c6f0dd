"""Let a call that changes files fail, or end the process there; children that may be killed."""

import contextlib
import errno
import os
import pathlib
import signal
import sys
import traceback
import warnings

import pytest

CALLS = ("fsync", "link", "rename", "replace", "mkdir", "unlink", "rmdir", "ftruncate", "pwrite")
PATIENCE = 60
"""Seconds after which a child is taken to hang."""


def fail():
    raise OSError(errno.ENOSPC, "no space left, says the test")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


@contextlib.contextmanager
def at_step(step, act, onwards=False):
    """Do ``act`` in place of the ``step``-th call that changes files, or of that and all later.

    Yields the names of the calls so far. Nothing is synced: no power fails here. Of a write that
    fails, half is written.
    """
    calls = []

    def touch(name, half=None):
        calls.append(name)
        if len(calls) == step or (onwards and len(calls) > step):
            if half is not None:
                half()
            act()

    def counted(name, original):
        def call(*arguments, **options):
            touch(name)
            return original(*arguments, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            original = (lambda handle: None) if name == "fsync" else getattr(os, name)
            patch.setattr(os, name, counted(name, original))
        patch.setattr(pathlib.Path, "open", opened_by(pathlib.Path.open, touch))
        yield calls


def opened_by(original, touch):
    def opened(path, mode="r", *arguments, **options):
        if not set(mode) & set("wax+"):
            return original(path, mode, *arguments, **options)
        return Written(original(path, mode, *arguments, **options), touch)

    return opened


class Written:
    """A file whose writes are counted."""

    def __init__(self, file, touch):
        self._file = file
        self._touch = touch

    def write(self, data):
        view = memoryview(data)
        self._touch("write", lambda: self._file.write(view[: len(view) // 2]))
        return self._file.write(view)

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()


# -- children ---------------------------------------------------------------------------------


def start(work):
    """Fork a child that does ``work`` and ends; return its process id."""
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        # Threads of other libraries are of no use to the child, and are not asked.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        return child
    try:
        signal.alarm(PATIENCE)
        work()
        os._exit(0)
    except BaseException:  # noqa: BLE001 - the child has nobody to raise it to
        traceback.print_exc(file=sys.__stderr__)
        sys.__stderr__.flush()
    os._exit(1)


def ended(child):
    """Wait for a child; whether it came to its end, rather than being killed."""
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL, f"a child got signal {os.WTERMSIG(status)}"
        return False
    assert os.WEXITSTATUS(status) == 0, "a child failed: its error is in the output"
    return True


# -- what a graph says ------------------------------------------------------------------------


def state(g):
    """All that a graph says, edge ids aside, as text."""
    nodes = g.nodes()
    said = [g.node_count, g.edge_count, g.node_types, g.connection_types, nodes.tolist()]
    said += [g.ids(nodes).tolist(), g.titles(nodes).tolist(), g.types(nodes).tolist()]
    for kind in g.node_types:
        table = g.read_nodes(kind)
        said += [(name, table[name].tolist()) for name in table]
        said.append(g.find(kind, g.ids(table.rows)).tolist())
    for kind in g.connection_types:
        sources, targets, _ = g.edges(kind)
        table = g.read_edges(kind)
        rows = zip(sources.tolist(), targets.tolist(), *columns_of(table), strict=True)
        said += [list(table), sorted(map(repr, rows))]
        said += [part.tolist() for part in g.peer_counts(kind)] + [g.sources(kind).tolist()]
        csr = g.csr(kind, "both")
        said += [csr.offsets.tolist(), sorted(csr.targets.tolist())]
        said += [sorted(g.neighbors(node, kind).tolist()) for node in nodes]
    return repr(said)


def columns_of(table):
    return [table[name].tolist() for name in table]
