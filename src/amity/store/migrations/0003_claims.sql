-- What every source said of every trait, and what is shown of it.
SELECT 1;
