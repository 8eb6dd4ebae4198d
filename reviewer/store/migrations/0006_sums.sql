-- What lists of reviews are made of: few of many events, which tell every step.
CREATE INDEX events_that_sum_up ON events (review, type, position)
WHERE type IN (
    'review.queued', 'review.started', 'review.planned', 'review.postponed', 'review.completed', 'review.failed',
    'review.superseded', 'review.cancelled', 'chunk.completed', 'chunk.failed', 'finding', 'finding.withdrawn'
);
CREATE INDEX calls_by_api_key ON calls (api_key, at) WHERE api_key IS NOT NULL;
