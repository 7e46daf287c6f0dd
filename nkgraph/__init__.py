"""Typed property graphs bigger than memory, as NumPy arrays."""
