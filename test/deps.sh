#!/bin/sh
# Installs the Debian packages of the programs named, those that are missing.
# Without root, sudo or apt it names them in one line and fails.
set -eu

package() {
	case $1 in
	redis-cli) echo redis-tools ;;
	ffprobe) echo ffmpeg ;;
	promtool) echo prometheus ;;
	named-checkzone) echo bind9-utils ;;
	*) echo "$1" ;;
	esac
}

want=
for program in "$@"; do
	if command -v "$program" >/dev/null 2>&1 || [ -x "/usr/sbin/$program" ]; then
		continue
	fi
	want="$want $(package "$program")"
done
# nginx's RTMP part is a module of its own.
if [ ! -e /usr/lib/nginx/modules/ngx_rtmp_module.so ]; then
	want="$want libnginx-mod-rtmp"
fi
[ -n "$want" ] || exit 0
want=$(printf '%s\n' $want | sort -u | tr '\n' ' ')

sudo=
if [ "$(id -u)" -ne 0 ]; then
	sudo="sudo -n"
	if ! $sudo true 2>/dev/null; then
		echo "missing: run as root: apt-get install $want" >&2
		exit 1
	fi
fi
if ! command -v apt-get >/dev/null 2>&1; then
	echo "missing, and there is no apt-get here; install: $want" >&2
	exit 1
fi
echo "installing $want"
log=$(mktemp)
# Services that come with the packages are not wanted: the tests start their
# own. A policy of 101 says so to Debian's maintainer scripts.
policy=/usr/sbin/policy-rc.d
made=
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
	$sudo chmod 755 $policy
	made=1
fi
status=0
{ $sudo apt-get update -q && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $want; } >"$log" 2>&1 || status=$?
[ -z "$made" ] || $sudo rm -f $policy
if [ $status -ne 0 ]; then
	tail -20 "$log" >&2
	echo "could not install $want; the whole log is $log" >&2
	exit 1
fi
rm -f "$log"
