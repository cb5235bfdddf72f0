"""What happens without a caller: delivery, retries, timers, messages, callbacks."""
