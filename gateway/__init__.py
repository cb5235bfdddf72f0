"""ERP gateway: one endpoint between an ERP and the systems around it."""

__version__ = "0.1.0"
