"""The gateway as a program, one module per command group."""
