-- What health strips count; each kind of reader has an index of its own.
CREATE INDEX reviews_going_by_installation ON reviews (installation) WHERE ended_at IS NULL;
CREATE INDEX reviews_going_by_repository ON reviews (repository_id) WHERE ended_at IS NULL;
CREATE INDEX reviews_going_by_api_key ON reviews (api_key) WHERE ended_at IS NULL;
