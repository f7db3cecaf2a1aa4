#!/bin/sh
# Installs those of the named Debian packages that are missing, as root or through sudo. None of
# them starts a service.
set -eu

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "deps: this is no Debian system; needed are the equivalents of: $*" >&2
    exit 1
fi

missing=
for package in "$@"; do
    if [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
        missing="$missing $package"
    fi
done
if [ -z "$missing" ]; then
    echo "deps: nothing to install"
    exit 0
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "deps: missing:$missing; run make deps as root or install sudo" >&2
        exit 1
    fi
    as_root=sudo
fi
# Debian starts what it installs unless this file says no; one that is there already is left alone.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
    # shellcheck disable=SC2064 # both are known now
    trap "$as_root rm -f $policy" EXIT
fi

echo "deps: installing$missing"
$as_root apt-get update -q
# shellcheck disable=SC2086 # one word for each package
$as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends $missing
