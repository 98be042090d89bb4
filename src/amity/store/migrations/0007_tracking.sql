-- What events should look like, and what their sources sent.
SELECT 1;
