#!/bin/sh
# Prints the version of a Debian package: it begins with a digit, and dpkg
# sorts it as it came to be.
#
#   v1.2.3                1.2.3
#   v1.2.3-rc1            1.2.3~rc1
#   v1.2.3-4-g0123456     1.2.3+4.g0123456
#   0123456, no tag       0~git20260102030405.0123456, by the commit's time
#   …-dirty               the same and +dirty
#
# usage: version.sh DESCRIBED SECONDS     what `git describe --tags --always --dirty` says; time of the commit
set -eu
described=$1 date=$(date -u -d "@$2" +%Y%m%d%H%M%S) dirty=
case $described in
*-dirty) dirty=+dirty described=${described%-dirty} ;;
esac
case $described in
v[0-9]*) version=$(printf %s "${described#v}" | sed -E 's/-([0-9]+)-(g[0-9a-f]+)$/+\1.\2/; s/-/~/g') ;;
*) version="0~git$date.$described" ;;
esac
version=$version$dirty
case $version in
*[!0-9A-Za-z.+~]*)
	echo "version.sh: $1 makes $version, which is no version for Debian" >&2
	exit 1
	;;
esac
echo "$version"
