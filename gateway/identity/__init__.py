"""Who is calling: tokens, API keys, the built-in token endpoint."""
