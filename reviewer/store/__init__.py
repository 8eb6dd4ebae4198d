"""PostgreSQL: the feed and the ledger, and the database they live in."""
