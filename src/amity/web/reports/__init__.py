"""Reports: the gallery, one page for any report, what stands behind a row."""
