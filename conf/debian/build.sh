#!/bin/sh
# Builds the package below the named folder, from a copy of the source: packaging writes beside it, and its tools
# want debian/ at the top. Version, date and changelog are made here, from what the source says of itself.
set -eu

target=$1
source=$target/source
version=$(sed -n 's/^#define PXR_VERSION "\(.*\)"$/\1/p' src/httpd/pxr_httpd.h)
# The same source gives the same package: its date is that of the last commit, or, outside of git, of the change notes.
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}"
export SOURCE_DATE_EPOCH
# This make's own options and variables are not for the packaging's.
unset MAKEFLAGS MFLAGS MAKELEVEL

rm -rf "$target"
mkdir -p "$source"
cp -r Makefile mod_pexip_rc.c src include conf README.md LICENSE CHANGELOG.md "$source"
cp -r conf/debian "$source/debian"
# Whoever hands packages to others puts an address that reaches him into the environment, as for all of Debian's tools.
if [ -n "${DEBEMAIL:-}" ]; then
    sed -i "s/^Maintainer: .*/Maintainer: ${DEBFULLNAME:-$DEBEMAIL} <$DEBEMAIL>/" "$source/debian/control"
fi
cat >"$source/debian/changelog" <<END
mod-pexip-rc ($version-1) unstable; urgency=medium

  * Version $version: see changelog.gz beside this file.

 -- $(sed -n 's/^Maintainer: //p' "$source/debian/control")  $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
END

(cd "$source" && dpkg-buildpackage -b -us -uc)
lintian --allow-root --fail-on error,warning,info --display-info "$target"/*.changes
