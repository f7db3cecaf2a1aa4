#!/bin/sh
# Takes promtool out of Debian's package of Prometheus, which is not installed: nothing else of it is
# needed, and it brings a service. Argument: the folder to put it into.
set -eu

rm -rf "$1"
mkdir -p "$1"
cd "$1"
if ! apt-get -q download prometheus; then
    # The lists of a fresh system are empty.
    if [ "$(id -u)" -eq 0 ]; then
        apt-get update -q
    else
        sudo -n apt-get update -q
    fi
    apt-get -q download prometheus
fi
dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool
rm prometheus_*.deb
