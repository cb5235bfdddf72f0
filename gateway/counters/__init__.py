"""Rate counters, in memory or leased from Redis."""
