"""A small ERP and sample traffic."""
