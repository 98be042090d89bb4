-- Sources that call: secrets of webhooks, calls, enrichment.
SELECT 1;
