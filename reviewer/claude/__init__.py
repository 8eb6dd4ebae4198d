"""Claude, or any server that speaks the Messages API."""
