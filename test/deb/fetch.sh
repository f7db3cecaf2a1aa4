#!/bin/sh
# Fetches Debian's httpd, and what it needs that this machine has not got, into the named folder. Nothing is installed.
set -eu

archives=$1
as_root=
[ "$(id -u)" -eq 0 ] || as_root=sudo

fetch() {
    $as_root apt-get install -q -y --download-only --reinstall --no-install-recommends \
        -o Dir::Cache::archives="$archives" -o APT::Sandbox::User=root apache2 apache2-bin apache2-data apache2-utils
}

$as_root rm -rf "$archives"
mkdir -p "$archives/partial"
# The lists may be older than what they list.
fetch || { $as_root apt-get update -q && fetch; }
