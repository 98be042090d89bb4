-- Keys of single persons, and requests to see or erase what is held of them.
SELECT 1;
