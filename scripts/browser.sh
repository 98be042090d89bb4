#!/bin/sh
# Makes sure the browser tests have a Chromium, where this may be done. Says so where it may not.
set -u
for name in chromium chromium-browser google-chrome; do
  command -v "$name" >/dev/null 2>&1 && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Chromium for the browser tests…"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; } \
    >/dev/null 2>&1 && exit 0
fi
echo "No Chromium here and none could be installed: the browser tests will be counted as skipped."
echo "Install the package chromium (as root: apt-get install chromium) to run them."
exit 0
