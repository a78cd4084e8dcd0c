#!/bin/sh
# Puts what is handed out beside the program into a directory: manual pages,
# completions, the unit for /usr/bin, licences, documents. The same for every
# processor, and with times that say nothing of when it was made.
# usage: SOURCE_DATE_EPOCH=SECONDS deploy/package/stage.sh DIR
set -eu
dir=$(realpath -m "$1")
cd "$(dirname "$0")/../.."
rm -rf "$dir"
mkdir -p "$dir/doc/examples"

# From the commands themselves, by a test, so that the program needs no library for it.
go test ./cmd/stream-api -count=1 -vet=off -run '^TestEveryCommandHasAManualPage$' -handout "$dir" >"$dir/log" || {
	cat "$dir/log" >&2
	exit 1
}
rm "$dir/log"
gzip -9n "$dir"/man/*.1

sed 's|/usr/local/bin/|/usr/bin/|g' deploy/systemd/stream-api.service >"$dir/stream-api.service"
cp deploy/systemd/stream-api.sysusers "$dir/sysusers.conf"
cp deploy/package/config.yaml "$dir/config.yaml"
{
	printf 'stream-api itself:\n\n'
	cat LICENSE
	printf '\nWhat is linked into it (stream-api licences prints the same):\n\n'
	cat internal/notices/notices.txt
} >"$dir/doc/copyright"
gzip -9nc CHANGELOG.md >"$dir/doc/changelog.gz"
cp README.md docs/*.md "$dir/doc/"
cp -R deploy/examples/. deploy/ansible deploy/nixos deploy/systemd/hardening.conf deploy/redis/users.acl deploy/prometheus/alerts.yaml deploy/grafana/dashboard.json "$dir/doc/examples/"
find "$dir" -type d -exec chmod 755 {} +
find "$dir" -type f -exec chmod 644 {} +
find "$dir" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
