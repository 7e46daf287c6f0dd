"""NetworkX itself, for the modules of the backend; they are imported only when it is there."""

from collections.abc import Hashable
from typing import Any, TypeAlias

from nkgraph.interop.arrow import require

nx = require("networkx", "networkx")

NxGraph: TypeAlias = Any
"""A ``networkx.Graph`` or one of its kin: the library is optional and has no type information."""
Node: TypeAlias = Hashable
"""What a user calls a node."""
Number: TypeAlias = int | float
