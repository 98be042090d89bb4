#!/bin/sh
# Makes sure there is a Java 17 for Spark, where this may be done. Says so where it may not.
set -u
command -v java >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Java for Spark…"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless; } \
    >/dev/null 2>&1 && exit 0
fi
echo "No Java here and none could be installed."
echo "Install the package openjdk-17-jre-headless (as root: apt-get install openjdk-17-jre-headless)."
exit 1
