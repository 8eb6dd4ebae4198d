"""JSON for tools and the dashboard."""
