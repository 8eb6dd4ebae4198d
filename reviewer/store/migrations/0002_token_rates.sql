-- What finished calls have taught about each family of tokenizers; mean and deviation in bytes per token.
CREATE TABLE token_rates (
    family text PRIMARY KEY,
    mean double precision NOT NULL,
    deviation double precision NOT NULL,
    samples bigint NOT NULL,
    learned_at timestamptz NOT NULL DEFAULT now()
);
