"""Measures how long a frame takes, how sure that is, and what else it costs."""
