"""Files of SparrowDB 0.1: the node store, read and written."""

from nkgraph.storage.sparrowdb.names import column_id, column_ids
from nkgraph.storage.sparrowdb.node_store import NodeStore

__all__ = ["NodeStore", "column_id", "column_ids"]
