-- Who buys with a key alone is a tenant too.
ALTER TABLE ledger ADD COLUMN tenant text;
UPDATE ledger SET tenant = CASE installation WHEN 0 THEN 'nobody' ELSE 'installation ' || installation END;
ALTER TABLE ledger
    DROP CONSTRAINT ledger_pkey,
    DROP COLUMN installation,
    ALTER COLUMN tenant SET NOT NULL,
    ADD PRIMARY KEY (tenant, key);
