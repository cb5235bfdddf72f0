"""Benches: each installs its own peers, measures them in the same run, and ends with one line of JSON."""
