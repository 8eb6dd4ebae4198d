"""GitHub, as far as Sluice talks to it."""
