"""Fill the table of ``docs/comparison.md`` with what ``python -m perf --json FILE`` measured.

python docs/make_comparison.py FILE
"""

import json
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("comparison.md")
START, END = "<!-- results -->", "<!-- end -->"
HEAD = (
    "| row | nkgraph, ms | others, ms | ratio | must | of the limit | memory, MB |\n"
    "|---|---|---|---|---|---|---|"
)
OURS = "nkgraph"
UNITS = {"processor": "", "cores": "cores", "threads": "threads"}
SIZES = {"node_count": "nodes", "edge_count": "edges"}


def table(results: dict[str, Any]) -> str:
    """Return the table, and what it was measured on."""
    rows = [line(name, row) for name, row in results["rows"].items()]
    missing = {kind for row in results["rows"].values() for kind in row.get("missing", {})}
    parts = [about(results), "", HEAD, *rows]
    if missing:
        parts += ["", f"Not installed, and so left out: {', '.join(sorted(missing))}."]
    return "\n".join(parts)


def about(results: dict[str, Any]) -> str:
    """Say versions, machine and sizes in a paragraph."""
    machine, scale = results.get("machine", {}), results.get("scale", {})
    said = [f"{machine[key]} {unit}".strip() for key, unit in UNITS.items() if machine.get(key)]
    said += [f"{scale[key]:,} {unit}" for key, unit in SIZES.items() if scale.get(key)]
    said += [f"{name} {value}" for name, value in results.get("versions", {}).items() if value]
    return f"Measured with {', '.join(said)}."


def line(name: str, row: dict[str, Any]) -> str:
    """Return one row: best times, the ratio to the rival that counts, the physical limit."""
    times = {who: held["min_s"] * 1e3 for who, held in row["contenders"].items()}
    ours = times.pop(OURS, None)
    others = ", ".join(f"{who} {short(time)}" for who, time in times.items())
    limit = row.get("limit_s")
    above = "" if not limit or ours is None else f"{ours / 1e3 / limit:.1f}"
    peak = row["contenders"].get(OURS, {}).get("peak_bytes")
    memory = "" if peak is None else f"{peak / 1e6:.1f}"
    ratio, must = ("" if row.get(key) is None else f"{row[key]:.2f}" for key in ("ratio", "must"))
    ratio += f" {row['rival']}" if ratio and len(times) > 1 else ""
    shown = "" if ours is None else short(ours)
    return f"| {name} | {shown} | {others} | {ratio} | {must} | {above} | {memory} |"


def short(milliseconds: float) -> str:
    """Spell a time with three digits."""
    return f"{milliseconds:.3g}" if milliseconds < 1000 else f"{milliseconds:,.0f}"


def fill(page: str, content: str) -> str:
    """Put content between the markers of a page."""
    head, start, rest = page.partition(START)
    _, end, tail = rest.partition(END)
    if not start or not end:
        raise ValueError(f"the markers {START} and {END} are not there")
    return f"{head}{START}\n{content}\n{END}{tail}"


if __name__ == "__main__":
    measured = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8"), table(measured)), encoding="utf-8")
