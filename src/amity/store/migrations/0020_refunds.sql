-- What was paid back of an order by currency, in minor units; of amounts that named none by the decimal
-- places they would be of ('0', '2', '3'); `refunded_minor` is that of the order's currency. '*' is
-- what was read before: `amity rebuild` reads it again.
ALTER TABLE store_order ADD refunds jsonb NOT NULL DEFAULT '{}';
UPDATE store_order SET refunds = jsonb_build_object('*', refunded_minor) WHERE refunded_minor > 0;
