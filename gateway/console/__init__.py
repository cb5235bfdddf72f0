"""The internal port: people and monitoring call it."""
