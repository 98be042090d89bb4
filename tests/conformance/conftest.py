"""Spark is asked by `make spark-check` alone: it is large, and takes minutes."""

import os

collect_ignore = [] if os.environ.get("AMITY_SPARK") else ["test_spark.py"]
