"""Who calls, what they may see and do, and how people log in."""
