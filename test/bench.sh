#!/bin/sh
# Measures anew what docs/benchmarks.md says, and puts it there: each part is
# a section between two marks. Takes some half an hour on an idle machine
# of two cores.
set -eu
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

echo "scripts: cost of each inside Redis, memory" >&2
go run ./test/bench/scripts >"$out/scripts"

echo "burst: 1,000 streams of six slots on 100 hosts" >&2
{
	echo '```json'
	for args in '-schedulers 1' '-schedulers 3' '-schedulers 1 -chained'; do
		# shellcheck disable=SC2086 # several words are meant
		go run ./test/bench/burst $args
	done
	echo '```'
} >"$out/burst"

echo "latency: appeared to running" >&2
go test -count=1 -v -parallel 1 -run 'Appeared|Burst' ./test/e2e -args -figures >"$out/e2e.log"
sed -n 's/^ *latency_test.go:[0-9]*: /- /p' "$out/e2e.log" >"$out/latency"

echo "fleet: 1,000 simulated hosts beside ten real ones, and as many more as the machine carries" >&2
go run ./test/bench/fleet -plot docs/images/fleet.svg >"$out/fleet"

for part in scripts burst latency fleet; do
	go run ./test/bench/section docs/benchmarks.md "$part" "$out/$part"
done
echo "docs/benchmarks.md is written; the sections Page and Faults are measured by" >&2
echo "  go test ./web -run PageUnderLoad -measure    and    make chaos" >&2
