#!/bin/sh
# Makes sure there is a Java 17 or newer for Spark, where this may be done. Says so where it may not.
set -u
# "17.0.15" is 17; of versions before 9, such as "1.8.0", this is 1.
found=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
[ "${found:-0}" -ge 17 ] && exit 0
if [ "$(id -u)" = 0 ] && [ -z "$found" ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Java for Spark…"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless; } \
    >/dev/null 2>&1 && exit 0
fi
if [ -n "$found" ]; then
  echo "Spark needs Java 17 or newer; here is version $found."
else
  echo "No Java here and none could be installed."
fi
echo "Install the package openjdk-17-jre-headless (as root: apt-get install openjdk-17-jre-headless)."
exit 1
