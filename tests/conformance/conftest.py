"""Spark is asked by `make spark-check` alone: it is large, and takes minutes; published figures of
data that are not installed by `make references-check`."""

import os

collect_ignore = [] if os.environ.get("AMITY_SPARK") else ["test_spark.py"]
if not os.environ.get("AMITY_REFERENCES"):
    collect_ignore.append("test_references.py")
