-- The tables of the view, made in a schema of their own (view_<n>). A change here or in indexes.sql is brought about by
-- `views rebuild`, never by a migration.
--
-- Times are milliseconds since 1970: an event may carry any 64 bits, and no type of PostgreSQL for times holds them all.
-- `change` is the number of the transaction that wrote a row last, and grows in the sequence of their commits.

-- Everything before next_offset is in these tables.
CREATE TABLE positions (
    topic text,
    partition integer,
    next_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);

-- The last change. Each transaction that writes takes this row first, so that they follow each other.
CREATE TABLE feed (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    change bigint NOT NULL
);
INSERT INTO feed (change) VALUES (0);

CREATE TABLE orders (
    id text PRIMARY KEY,
    customer_id bigint NOT NULL,
    state text NOT NULL,
    product text NOT NULL,
    quantity integer NOT NULL,
    price_minor bigint NOT NULL,
    currency text NOT NULL,
    reasons text[] NOT NULL,
    version integer NOT NULL,
    created_at_ms bigint NOT NULL,
    updated_at_ms bigint NOT NULL,
    change bigint NOT NULL
);

-- The journeys: every event of every order.
CREATE TABLE events (
    topic text,
    partition integer,
    "offset" bigint,
    order_id text NOT NULL,
    what text NOT NULL,
    note text NOT NULL,
    happened_at_ms bigint NOT NULL,
    processed_at_ms bigint,
    traceparent text,
    PRIMARY KEY (topic, partition, "offset")
);

CREATE TABLE validations (
    order_id text,
    check_name text,
    result text NOT NULL,
    reason text,
    checked_at_ms bigint NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (order_id, check_name)
);

CREATE TABLE payments (
    id text PRIMARY KEY,
    order_id text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    paid_at_ms bigint NOT NULL,
    change bigint NOT NULL
);

CREATE TABLE customers (
    id bigint PRIMARY KEY,
    first_name text NOT NULL,
    last_name text NOT NULL,
    email text NOT NULL,
    address text NOT NULL,
    level text NOT NULL,
    version integer NOT NULL,
    change bigint NOT NULL
);

CREATE TABLE stock (
    product text PRIMARY KEY,
    on_hand bigint NOT NULL,
    reserved bigint NOT NULL,
    version integer NOT NULL,
    updated_at_ms bigint NOT NULL,
    change bigint NOT NULL
);

CREATE TABLE mails (
    id text PRIMARY KEY,
    order_id text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    sent_at_ms bigint NOT NULL,
    change bigint NOT NULL
);
