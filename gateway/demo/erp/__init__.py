"""A small ERP: SOAP finance and procurement, REST inventory and sales, and a journal of everything it was asked.

It shares no code with the gateway, so that the two check each other: bodies are validated by lxml against the contracts in
``contracts/``. It runs as a process of its own (``python -m gateway.demo.erp``) and is reached over sockets only.
"""
