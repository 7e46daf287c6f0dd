"""The regression suite: every kernel beside what a user would call instead."""
