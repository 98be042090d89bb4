#!/bin/sh
# Makes sure the tests have the JavaScript clients of tests/node. Says so where it cannot be done.
set -u
cd "$(dirname "$0")/../tests/node" || exit 1
PATH="$(cd ../.. && pwd)/.venv/bin:$PATH"
# They are installed anew only when the lock has changed since.
cmp -s package-lock.json node_modules/.installed && exit 0
echo "Installing the JavaScript clients for the tests…"
if npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null 2>&1; then
  cp package-lock.json node_modules/.installed && exit 0
fi
echo "The JavaScript clients could not be installed: the tests that run them will be counted as skipped."
echo "Run 'npm ci --ignore-scripts' in tests/node to see why."
exit 0
