"""Reviews of diffs that are posted."""
