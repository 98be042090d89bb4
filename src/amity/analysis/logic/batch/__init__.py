"""Rules where the data is: a rule's SQL, said anew for DuckDB and Spark over the warehouse."""
