"""Reading a CSV file strictly, asking one estimator about it, writing its rows."""
