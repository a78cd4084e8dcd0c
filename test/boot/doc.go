// Package boot installs the Debian package on a real machine and does to it
// what operators, package managers, kernels and full disks do: a Debian 12 with
// systemd and cgroup v2, made by debootstrap, run by QEMU. `make boot` runs it;
// it needs root, debootstrap, qemu-system-x86_64 and mkfs.ext4.
//
// The guest is emulated, and slow: the rows assert pids, signals, states and
// lines of the journal, never seconds. They run in their order on one guest, as
// each leaves it as the next one expects it: look at the first that failed.
//
// With -container they run in namespaces of this machine instead of a guest, in
// two minutes: a systemd of its own, and no boot, memory or kernel of its own, so
// that those rows are left out.
//
// The tree of the guest is kept in $STREAM_API_BOOT_CACHE (without it: below the
// user's cache directory); remove it to have it made anew.
package boot
