-- How far the warehouse has come.
SELECT 1;
