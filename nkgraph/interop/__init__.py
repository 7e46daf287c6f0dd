"""Doors to other libraries; each module is imported when it is asked for."""
