"""What they may do: strict reader, compiled index, decide and explain."""
