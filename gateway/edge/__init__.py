"""The public port: satellites call it."""
