#!/bin/sh
# Takes a host out of a fleet: has it hand over its slots and run the jobs that need its files, then ends the
# machine and forgets the host. For an autoscaler, or a person.
#
#   END_MACHINE=/usr/local/bin/end-machine scale-down.sh HOST [DEADLINE]
#
# END_MACHINE is called with the host's name once it is empty. Exit codes: 0 it is gone, 4 it was not empty at the
# deadline and stays, drained; anything else: it failed and stays.
set -u
host=${1:?usage: scale-down.sh HOST [DEADLINE]}
deadline=${2:-2h}
: "${END_MACHINE:?the program that ends a machine}"

stream-api hosts drain "$host" --deadline "$deadline" --wait || {
  code=$?
  stream-api jobs ls >&2
  echo "$host stays, drained; take it back with: stream-api hosts uncordon $host" >&2
  exit "$code"
}
"$END_MACHINE" "$host" || exit

# It counts as living until its lease has ended, if it could not say that it leaves.
for _ in 1 2 3 4 5 6; do
  stream-api hosts rm "$host" && exit 0
  sleep 5
done
exit 1
