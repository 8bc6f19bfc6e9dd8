-- The tables of the view are made anew by each rebuild, in a schema of their own. This says which of them are served, and
-- from what layout they were made. Who writes holds the row shared, who switches takes it alone.
CREATE TABLE serving (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    schema text NOT NULL,
    layout text NOT NULL
);

-- Numbers the schemas, none twice.
CREATE SEQUENCE generations;
