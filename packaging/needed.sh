# Whether somebody needs vfhook where it is; says who on standard error. $root is put before every path. Part of the Debian package's prerm
# and of the tarball's install.sh; both have `say`.
needed() {
    # Who would take back what they have?
    if [ -n "$(find "$root/run/vfhook/leases" -type f 2>/dev/null | head -n 1)" ]; then
        say "sandboxes still have networks of it; 'vfhook status' lists them: stop them, or 'vfhook detach --id ID', and remove it again"
        return 0
    fi
    # Who would take back what it wrote for runtimes?
    if [ -n "$(find "$root/var/lib/vfhook/setup" -type f 2>/dev/null | head -n 1)" ]; then
        say "it has set runtimes up: 'vfhook setup --undo' takes that back; then remove it again"
        return 0
    fi
    # A container's spec that begins with a hook of a program that is gone starts no container, whatever it asks for.
    for file in "$root"/etc/containerd/config.toml "$root"/etc/containerd/conf.d/*.toml "$root"/etc/crio/crio.conf \
        "$root"/etc/crio/crio.conf.d/*; do
        if [ -f "$file" ] && grep -q '^[^#]*/etc/vfhook/' "$file"; then
            say "$file names a file of it, without which no container starts: 'vfhook setup --undo', or take that out; restart the runtime, and remove it again"
            return 0
        fi
    done
    return 1
}
