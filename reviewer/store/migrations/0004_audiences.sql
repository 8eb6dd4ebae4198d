-- Whose an event is, and so who may follow it. Each kind of reader has an index of its own, so that nobody can tell
-- from the time a page takes how much is said in others' repositories.
ALTER TABLE events
    ADD COLUMN installation bigint,
    ADD COLUMN repository_id bigint,
    ADD COLUMN api_key text;
CREATE INDEX events_by_installation ON events (installation, position) WHERE installation IS NOT NULL;
CREATE INDEX events_by_repository ON events (repository_id, position) WHERE repository_id IS NOT NULL;
CREATE INDEX events_by_api_key ON events (api_key, position) WHERE api_key IS NOT NULL;
-- Events are stored in the order of time, so that it takes a few bytes to say which blocks hold a day
CREATE INDEX events_by_time ON events USING brin (at) WITH (autosummarize = on);

-- A row for each time that what had been said was changed: whoever keeps events in memory drops them then. Rows
-- are only added, as a single one to be updated would make transactions wait for each other.
CREATE TABLE feed_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now()
);

-- At or below this position events may have expired. It depends on their age alone, and so tells nobody of others.
CREATE TABLE feed_floor (position bigint NOT NULL);
INSERT INTO feed_floor (position) VALUES (0);
