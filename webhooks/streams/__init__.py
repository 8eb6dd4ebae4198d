"""The feed as server-sent events."""
