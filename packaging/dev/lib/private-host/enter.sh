#!/bin/sh
# enter.sh <pid of the host's first process> <cgroup of the host> <program> [argument ...]
# Runs a program on a private host: first joins its cgroups, which can only be named from outside, then its namespaces.
set -eu
pid=$1
cgroup=$2
shift 2
for hierarchy in $(awk '$3 == "cgroup" { print $2 }' /proc/mounts); do
  echo $$ >"$hierarchy/$cgroup/cgroup.procs"
done
exec nsenter --target "$pid" --mount --net --pid --ipc --uts --cgroup --wd=/ -- "$@"
