"""Which records are one person (or company) though no identifier says so: Fellegi and Sunter's
model, trained without labels. Pure: arrays in, clusters out; no database, no files.

`docs/algorithms/linkage.md` says what is computed and what is assumed.
"""
