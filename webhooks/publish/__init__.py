"""Findings onto a pull request."""
