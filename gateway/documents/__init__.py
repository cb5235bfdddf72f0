"""Documents: the state machine, the ledger they are kept in, and the chain of audit entries."""
