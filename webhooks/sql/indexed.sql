-- name: through_indexes
-- The planner would scan a table of everybody's rows where it takes that for cheap, and compile what is short
SELECT set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)
