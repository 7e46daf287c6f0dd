"""The table of value types as text, for the documentation."""

from nkgraph.storage.reddb.layout import PACKED_BLOB, PACKED_TEXT
from nkgraph.storage.reddb.values import BY_TYPE, TYPES

_FORMS = {
    "?": "u8", "B": "u8", "H": "u16", "I": "u32", "Q": "u64", "i": "i32", "q": "i64", "d": "f64",
}  # fmt: skip
_NO_NAMES = ("v", "hex")
"""Names of fields that say nothing."""


def _form(form: str) -> str:
    return f"{form[:-1]} bytes" if form[0].isdigit() else _FORMS.get(form, form)


def value_table() -> str:
    """Return a Markdown table of all types of values: code, name, payload, Python types.

    Examples
    --------
    >>> print(value_table().splitlines()[4])
    | 2 | integer | i64 | `int` |
    """
    lines = ["| code | name | payload | Python |", "|---|---|---|---|"]
    for kind in TYPES:
        payload = ", ".join(
            _form(form) if name in _NO_NAMES else f"{name} {_form(form)}"
            for name, form in kind.fields
        )
        types = ", ".join(f"`{each.__name__}`" for each, of in BY_TYPE.items() if of is kind)
        lines.append(f"| {kind.code} | {kind.name} | {payload or '–'} | {types} |")
    for code, name in ((PACKED_TEXT, "text"), (PACKED_BLOB, "blob")):
        payload = "packed: varu32 length, varu32 compressed length, a zstd frame"
        lines.append(f"| {code:#04x} | {name} | {payload} | as {name} |")
    return "\n".join(lines) + "\n"
