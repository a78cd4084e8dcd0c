#!/bin/sh
# Makes a Debian package of a program and what stage.sh made.
# usage: SOURCE_DATE_EPOCH=SECONDS deploy/package/deb.sh PROGRAM ARCH DEBIAN-VERSION STAGE OUTPUT.deb
set -eu
program=$(realpath "$1") stage=$(realpath "$4") output=$(realpath -m "$5")
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$program" "$work/stream-api"
touch -d "@$SOURCE_DATE_EPOCH" "$work/stream-api"
mkdir -p "$(dirname "$output")"
export ARCH="$2" VERSION="$3" STAGE="$stage" WORK="$work"
go tool -modfile=tools.mod nfpm package --config deploy/package/nfpm.yaml --packager deb --target "$output" >"$work/log" || {
	cat "$work/log" >&2
	exit 1
}
