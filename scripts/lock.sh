#!/bin/sh
# Resolves the locked requirements, with hashes, for every supported Python; names no index.
set -eu
uv=$(command -v uv || echo .venv/bin/uv)
compile() {
  "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-header --no-annotate "$@"
}
# The tests' requirements first: what runs is then exactly what is tested.
compile pyproject.toml requirements/build.in --group dev -o requirements/dev.txt
compile pyproject.toml requirements/build.in -c requirements/dev.txt -o requirements/lock.txt
[ ! -f requirements/bench.in ] || compile requirements/bench.in -o requirements/bench.txt
[ ! -f requirements/spark.in ] || compile requirements/spark.in -o requirements/spark.txt
