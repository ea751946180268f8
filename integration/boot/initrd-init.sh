#!/bin/busybox sh
# First program in the guest. Loads what the root disk and the share need, mounts both, hands over to the PID 1 that comes with the share.
B=/bin/busybox
$B mount -t proc proc /proc
$B mount -t sysfs sysfs /sys
$B mount -t devtmpfs dev /dev
while read -r module; do
    $B insmod "/lib/modules/$module" || echo "lab: initrd cannot load $module"
done < /lib/modules/order
tries=0
while [ ! -b /dev/vda ] && [ $tries -lt 200 ]; do
    $B sleep 0.05
    tries=$((tries + 1))
done
stop() {
    echo "lab: initrd $1"
    echo o > /proc/sysrq-trigger
    $B sleep 60
}
$B mount -t ext4 -o rw,noatime /dev/vda /newroot || stop "cannot mount the root disk"
$B mkdir -p /newroot/host
$B mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 host /newroot/host || stop "cannot mount the share"
for place in dev proc sys; do $B mount --move /$place /newroot/$place; done
exec $B switch_root /newroot /host/pid1
