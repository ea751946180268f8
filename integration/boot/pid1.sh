#!/bin/bash
# PID 1 in the guest: mounts what container runtimes need, runs the guest runner, reaps what is orphaned, powers off. For a scenario that
# wants a node with systemd it makes way for that, and comes again as a service of it.
# It is a shell and not the runner itself because the runner must be free to die without taking the kernel with it.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=${TERM:-dumb} LANG=C.UTF-8
mounts() {
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/lock /run/netns /dev/pts /dev/shm
    mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
    mount -t tmpfs tmpfs /dev/shm
    mount -t tmpfs tmpfs /tmp
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mount -t bpf bpf /sys/fs/bpf 2> /dev/null
    ln -sfn /proc/self/fd /dev/fd
    ln -sfn /proc/self/fd/0 /dev/stdin
    ln -sfn /proc/self/fd/1 /dev/stdout
    ln -sfn /proc/self/fd/2 /dev/stderr
}
own_cgroup() {
    # cgroup v2 lets controllers be delegated only from a group with no processes: leave the root group first.
    mkdir -p /sys/fs/cgroup/init
    echo $$ > /sys/fs/cgroup/init/cgroup.procs
    for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
        echo "+$controller" > /sys/fs/cgroup/cgroup.subtree_control 2> /dev/null
    done
}
systemd() {
    echo 5f3c1a2b4d6e7f8091a2b3c4d5e6f708 > /etc/machine-id
    # The runner names the cards itself, as it does without udev.
    mkdir -p /etc/systemd/network /run/systemd/system
    ln -sfn /dev/null /etc/systemd/network/99-default.link
    cat > /run/systemd/system/lab.service << 'UNIT'
[Unit]
Description=The lab's runner
[Service]
ExecStart=/host/pid1
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
# What a scenario starts in the background is its own.
KillMode=process
OOMPolicy=continue
TasksMax=infinity
Delegate=yes
UNIT
    exec /usr/lib/systemd/systemd --unit=lab.service
}
if [ $$ = 1 ]; then
    mounts
    if [ -f /host/systemd ]; then systemd; else own_cgroup; fi
fi
hostname vfhook-lab
ip link set lo up
# As on any node with Kubernetes; vfhook itself must never set it.
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
install -m755 /host/bin/vfhook /usr/bin/vfhook 2> /dev/null
if [ -f /host/shell ]; then
    /host/bin/guest shell < /dev/null
    cd /root
    setsid -c bash --rcfile /host/shell -i < /dev/ttyS0 > /dev/ttyS0 2>&1
else
    /host/bin/guest job < /dev/null
    # It ends the machine itself: whatever comes after it means that it died.
    echo "lab: the runner ended with status $?"
    /host/bin/guest evidence < /dev/null
fi
power_off() {
    sync
    echo o > /proc/sysrq-trigger
    # No program can be started any more: the disks go before the power does.
    while :; do :; done
}
power_off
