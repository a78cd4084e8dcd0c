#!/bin/sh
# The fault tests at full length, some 35 minutes on two cores, and their
# figures put into docs/benchmarks.md. What has limits of time runs apart from
# what keeps the machine busy.
set -eu
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

dead='^(TestKilledRunnersWorkComesUpElsewhere|TestDeadMachinesWorkComesUpElsewhere)$'
random='^TestRandomFaults$'

part() { # TITLE, then arguments of go test
	title=$1
	shift
	CHAOS_REPORT=$out/report STREAM_API_TEST_REQUIRE=1 \
		go test -timeout 60m -count=1 -v ./test/chaos/ -chaos.long "$@"
	{
		echo "**$title**"
		echo
		cat "$out/report"
		echo
	} >>"$out/faults"
}

part 'Hosts that die' -run "$dead"
part 'Everything else' -skip "$dead|$random"
part 'At random' -run "$random"
go run ./test/bench/section docs/benchmarks.md faults "$out/faults"
echo "docs/benchmarks.md is written"
