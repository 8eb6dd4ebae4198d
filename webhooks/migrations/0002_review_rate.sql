-- A review that runs again cuts its files as it did before, or it would buy finished chunks anew.
ALTER TABLE reviews ADD COLUMN bytes_per_token double precision;
