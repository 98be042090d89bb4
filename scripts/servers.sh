#!/bin/sh
# Makes sure the tests have a MariaDB to pull from, a Dovecot to read mail from and a library that
# fakes the time, where this may be done. Says so where it may not.
# No service is started: the tests run a server of their own, as an ordinary user.
set -u
PATH="$PATH:/usr/sbin:/usr/local/sbin"
command -v mariadbd >/dev/null 2>&1 && command -v mariadb-install-db >/dev/null 2>&1 &&
  command -v dovecot >/dev/null 2>&1 && command -v faketime >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing MariaDB, Dovecot and faketime for the tests of databases, mailboxes and clocks…"
  export DEBIAN_FRONTEND=noninteractive
  # Packages start their service when they are installed, unless this says no.
  policy=/usr/sbin/policy-rc.d
  made=
  if [ ! -e "$policy" ] && printf '#!/bin/sh\nexit 101\n' >"$policy" 2>/dev/null; then
    chmod 755 "$policy"
    made=yes
  fi
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends mariadb-server dovecot-imapd openssl faketime; } \
    >/dev/null 2>&1
  result=$?
  [ -n "$made" ] && rm -f "$policy"
  [ "$result" = 0 ] && exit 0
fi
echo "No MariaDB, Dovecot or faketime here and none could be installed: their tests will be counted as skipped."
echo "Install them (as root: apt-get install mariadb-server dovecot-imapd faketime) to run these."
exit 0
