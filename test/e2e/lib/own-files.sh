#!/bin/sh
# own-files.sh
# First process of a machine whose files are those of this one, with a layer in memory over them: nothing it installs or
# deletes is installed or deleted here. It has a network card and nobody to talk to. It runs in new mount, network and pid
# namespaces. What was changed is to be seen in /.layer/upper.
set -eu
layer=/mnt
mount -t tmpfs tmpfs "$layer"
mkdir "$layer/upper" "$layer/work" "$layer/root"
mount -t overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" overlay "$layer/root"
cd "$layer/root"
mount -t proc proc proc
mount --rbind /dev dev
mount --rbind /sys sys
mkdir -p run .layer .old
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
# The checkout is at its place, also where that is below /tmp.
checkout=$(cd "$(dirname "$0")/../../.." && pwd)
if [ ! -d ".$checkout" ]; then
  mkdir -p ".$checkout"
  mount --bind -o ro "$checkout" ".$checkout"
fi
mount --bind "$layer" .layer
pivot_root . .old
umount -l .old
rmdir .old
ip link set lo up
ip link add eth0 type veth peer name eth0-peer
ip address add 192.0.2.2/24 dev eth0
ip link set eth0 up
ip link set eth0-peer up
ip route add default via 192.0.2.1
echo ready
cat >/dev/null
