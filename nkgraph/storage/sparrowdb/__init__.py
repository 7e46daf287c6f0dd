"""Files of SparrowDB 0.1: the node store, read and written."""
