-- What is told to others: webhooks and exports.
SELECT 1;
