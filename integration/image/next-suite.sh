#!/bin/sh
# A hook of mmdebstrap, run with the new root as $1: puts containerd 2 and docker 28, which the root's own suite does not have, in folders
# of their own beside the others. It must leave nothing else behind: the root's package lists and packages stay those of one suite.
set -eu
chroot "$1" sh -eu <<'SCRIPT'
own=/tmp/next-suite
mkdir -p $own/lists/partial $own/archives/partial
cd $own
# From the mirror that the root came from, whichever that is.
apt-get indextargets --format \
    'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(REPO_URI) forky main' \
    'Codename: trixie' 'Created-By: Packages' > sources.list
test -s sources.list
# A testing suite's lists are valid for a week; a mirror that lags, or a cache, is still good for a lab. The signature is checked.
set -- -o Acquire::Check-Valid-Until=false -o Dir::Etc::SourceList=$own/sources.list -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists=$own/lists -o Dir::Cache=$own -o APT::Sandbox::User=root
apt-get "$@" update
apt-get "$@" download containerd docker.io
dpkg-deb -x containerd_*.deb /opt/containerd-2
dpkg-deb -x docker.io_*.deb /opt/docker-28
# Go programs: they run with the root's C library, and with its runc. So does its docker client with the later daemon.
/opt/containerd-2/usr/bin/containerd --version
/opt/docker-28/usr/sbin/dockerd --version
cd /
rm -rf $own
for folder in /opt/containerd-2 /opt/docker-28; do rm -rf $folder/usr/share $folder/etc; done
SCRIPT
