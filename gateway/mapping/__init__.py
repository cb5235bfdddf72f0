"""Field tables compiled to converters."""
