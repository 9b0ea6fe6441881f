#!/bin/sh
# init.sh <host name> [program [argument ...]]
# First process of a private host: mounts what a machine of its own has, then runs the program; without one it waits.
# When it ends, everything on the host ends. It runs in new mount, network, pid, ipc, uts and cgroup namespaces.
set -eu
hostname "$1"
shift
# A host within a host sees the mounts of both.
hierarchies=$(awk '$3 == "cgroup" { print $2 ":" $4 }' /proc/mounts | sort -u)
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
for hierarchy in $hierarchies; do
  folder=${hierarchy%%:*}
  options=$(echo "${hierarchy#*:}" | tr ',' '\n' |
    grep -vE '^(rw|ro|nosuid|nodev|noexec|relatime|release_agent=.*|xattr)$' | paste -sd,)
  mkdir -p "$folder"
  mount -t cgroup -o "$options" cgroup "$folder"
done
for folder in /run /etc/kedge /var/lib/kedge /var/lib/cni /var/log/pods /var/log/containers; do
  mkdir -p "$folder"
  mount -t tmpfs tmpfs "$folder"
done
mkdir -p /run/lock
ip link set lo up
if [ $# -gt 0 ]; then
  # Not by exec: the shell takes in the orphans of the host.
  status=0
  "$@" || status=$?
  exit "$status"
fi
echo ready
# The shell takes in the orphans of the host; closing its input ends it.
cat >/dev/null
