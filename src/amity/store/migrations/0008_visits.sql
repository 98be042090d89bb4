-- Sessions, visitors that are machines, pages of the own site, interests.
SELECT 1;
