#!/bin/sh
# First program of a guest that runs on this machine's own files: lays a layer in memory over them, so that nothing the
# guest writes is written here, then runs the command in $KEDGE_SHARE/command and switches the guest off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
unset LD_PRELOAD
off() {
  busybox poweroff -f
}
fail() {
  echo "guest: $1"
  off
}
mount -t proc proc /proc
modprobe --dirname "$KEDGE_MODULES" overlay || fail 'no overlay module'
mount -t tmpfs -o mode=0755 tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root || fail 'no overlay'
cd /mnt/root || fail 'no root'
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t devtmpfs devtmpfs dev
mkdir -p dev/pts dev/shm
mount -t devpts devpts dev/pts
# The checkout is to be at its place, also where that is below a folder which is about to become empty.
checkout=$(cd "$(dirname "$0")/../.." && pwd)
mkdir /mnt/checkout
mount --bind ".$checkout" /mnt/checkout || fail 'no checkout'
for folder in dev/shm tmp run $KEDGE_EMPTY; do
  mkdir -p "$folder"
  mount -t tmpfs -o mode=0755 tmpfs "$folder"
done
if [ ! -d ".$checkout" ]; then
  mkdir -p ".$checkout"
  mount --bind /mnt/checkout ".$checkout"
fi
umount /mnt/checkout
mkdir -p ".$KEDGE_SHARE"
mount -t hostfs -o "$KEDGE_SHARE" none ".$KEDGE_SHARE" || fail 'no share'
# A real root, not chroot: container runtimes pivot.
mkdir -p mnt
pivot_root . mnt || fail 'no pivot_root'
umount -l /mnt
cd /
hostname guest
ip link set lo up
modprobe --dirname "$KEDGE_MODULES" -a $(cat "$KEDGE_SHARE/modules") || fail 'modules'
sh "$KEDGE_SHARE/command" </dev/null
echo $? >"$KEDGE_SHARE/exit-code"
off
