"""What the gateway is measured against: configurations of proxies, and the same work written the usual way."""
