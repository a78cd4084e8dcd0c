#!/bin/sh
# Format, vet, staticcheck, import arrows, forbidden calls, and the syntax of what is not Go.
set -eu
cd "$(dirname "$0")/.."
fail=0
say() { echo "check: $*" >&2; fail=1; }

unformatted=$(gofmt -l cmd config internal lua problem queue render runners scheduler sources store stream test web)
[ -z "$unformatted" ] || say "not formatted (gofmt -w): $unformatted"
go vet ./... || say "go vet"
# Pinned in go.mod. The first run reads all libraries (two minutes on two cores), each later one what changed.
go tool staticcheck ./... || say "staticcheck"
go mod verify >/dev/null || say "go mod verify"
go mod tidy -diff >/dev/null || say "go.mod is not tidy (go mod tidy)"
go test -count=1 ./internal/arrows/ || say "import arrows and forbidden calls"
for script in test/*.sh .ci/run deploy/*/*.sh deploy/package/p??*inst deploy/package/p*rm; do
	[ -e "$script" ] || continue
	sh -n "$script" || say "$script: syntax"
done
[ $fail -eq 0 ] && echo "check: ok"
exit $fail
