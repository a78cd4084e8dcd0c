#!/bin/sh
# Makes what a release hands out, in DIR: for each processor the program as a
# tar.gz and a Debian package with manual pages and completions, what it is
# linked of, and the sums. Of the same sources and SOURCE_DATE_EPOCH come the same bits.
# usage: SOURCE_DATE_EPOCH=SECONDS deploy/package/dist.sh VERSION DEBIAN-VERSION DIR [ARCH…]
set -eu
version=$1 debian=$2 out=$(realpath -m "$3")
shift 3
[ $# -gt 0 ] || set -- amd64 arm64
cd "$(dirname "$0")/../.."
rm -rf "$out"
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
deploy/package/stage.sh "$work/stage"
for arch in "$@"; do
	program=$work/$arch/stream-api
	CGO_ENABLED=0 GOARCH=$arch go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$version" -o "$program" ./cmd/stream-api
	deploy/package/deb.sh "$program" "$arch" "$debian" "$work/stage" "$out/stream-api_${debian}_$arch.deb"
	test/sbom.sh "$program" "$version" "$out/stream-api-$version-linux-$arch.cdx.json"
	tree=$work/$arch/stream-api-$version
	cp -Rp "$work/stage" "$tree"
	# For /usr/local/bin, where the unpacked program goes.
	cp deploy/systemd/stream-api.service "$tree/"
	cp "$program" "$tree/"
	tar -C "$work/$arch" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -cf - "stream-api-$version" |
		gzip -9n >"$out/stream-api-$version-linux-$arch.tar.gz"
done
(cd "$out" && sha256sum -- * >"$work/sums" && mv "$work/sums" SHA256SUMS)
