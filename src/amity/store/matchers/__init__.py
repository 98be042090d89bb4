"""Ways to compare one kind of column between records, one a file: see `store/matcher.py`."""
