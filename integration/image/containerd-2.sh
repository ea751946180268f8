#!/bin/sh
# A hook of mmdebstrap, run with the new root as $1: puts containerd 2, which the root's own suite does not have, in a folder of its own
# beside the other. It must leave nothing else behind: the root's package lists and packages stay those of one suite.
set -eu
chroot "$1" sh -eu <<'SCRIPT'
own=/tmp/containerd-2
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
apt-get "$@" download containerd
dpkg-deb -x containerd_*.deb /opt/containerd-2
# Go programs: they run with the root's C library, and with its runc.
/opt/containerd-2/usr/bin/containerd --version
cd /
rm -rf $own /opt/containerd-2/usr/share /opt/containerd-2/etc
SCRIPT
