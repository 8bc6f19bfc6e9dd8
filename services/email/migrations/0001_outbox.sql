-- How far each partition of the outbox is done: everything before next_offset is sent, or given up.
CREATE TABLE positions (
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);

-- What became of each mail that was taken up.
CREATE TABLE mails (
    idempotency_key text PRIMARY KEY,
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('claimed', 'sent', 'dead')),
    claimed_by text NOT NULL,
    claimed_at timestamptz NOT NULL,
    attempts integer NOT NULL,
    finished_at timestamptz
);

-- Rows are written in the order of time, and removed by it.
CREATE INDEX mails_finished_at ON mails USING brin (finished_at);
