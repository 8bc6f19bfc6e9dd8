-- What the tables are looked through by. Made after the rows where there are many to begin with.

CREATE INDEX orders_by_time ON orders (created_at_ms DESC, id DESC);
CREATE INDEX orders_by_customer ON orders (customer_id, created_at_ms DESC, id DESC);
CREATE INDEX orders_by_product ON orders (product, created_at_ms DESC, id DESC);
CREATE INDEX orders_by_state ON orders (state, created_at_ms DESC, id DESC);
CREATE INDEX orders_by_change ON orders (change);

CREATE INDEX events_by_order ON events (order_id);

CREATE INDEX validations_by_change ON validations (change);

CREATE INDEX payments_by_order ON payments (order_id);
CREATE INDEX payments_by_change ON payments (change);

CREATE INDEX customers_by_change ON customers (change);

CREATE INDEX stock_by_change ON stock (change);

CREATE INDEX mails_by_order ON mails (order_id);
CREATE INDEX mails_by_time ON mails (sent_at_ms DESC, id DESC);
CREATE INDEX mails_by_change ON mails (change);
