#!/bin/sh
# install.sh [--dry-run]: puts vfhook in place, or this version in place of another that this script put there.
# install.sh --uninstall [--dry-run]: takes exactly that away again.
# DESTDIR=FOLDER: below that, and without a word to systemd. It starts nothing, enables nothing and makes no VF.
set -eu
umask 022

say() { echo "vfhook: $*" >&2; }

# @NEEDED@

# Everything that this script put there, the folders that it made last: "file SHA256 PATH" or "folder PATH".
list_path=/usr/share/doc/vfhook/installed

do_it() {
    if [ -n "$dry" ]; then echo "$*"; else "$@"; fi
}

sum_of() { sha256sum "$1" | cut -d ' ' -f 1; }

# A link's sum is that of where it leads.
sum() {
    if [ -L "$1" ]; then readlink "$1" | sha256sum | cut -d ' ' -f 1; else sum_of "$1"; fi
}

systemd() {
    if [ -z "$root" ] && [ -z "$dry" ] && [ -d /run/systemd/system ]; then systemctl "$@"; fi
}

# The files of this tarball, as paths on the machine.
ours() { (cd "$here" && find usr ! -type d | sort | sed 's,^,/,'); }

# What of a list is not to be removed: it is somebody else's by now.
is_unchanged() {
    [ -e "$root$2" ] || [ -L "$root$2" ] || return 1
    [ "$(sum "$root$2")" = "$1" ] && return 0
    say "$root$2 was changed since and is left"
    return 1
}

# Nothing may be overwritten that this script did not put there: it could not be given back.
check() {
    for program in "dpkg -S" "rpm -qf"; do
        if [ -z "$root" ] && command -v "${program%% *}" > /dev/null && $program /usr/bin/vfhook > /dev/null 2>&1; then
            say "/usr/bin/vfhook is a package's (${program%% *}): upgrade or remove it by that"
            exit 1
        fi
    done
    for path in $(ours); do
        if { [ -e "$root$path" ] || [ -L "$root$path" ]; } && ! grep -qs " $path\$" "$root$list_path"; then
            say "$root$path is there, and not of this script's; nothing was changed"
            exit 1
        fi
    done
    (cd "$here" && sha256sum --quiet -c SHA256SUMS) || { say "what was unpacked is not whole; nothing was changed"; exit 1; }
}

# Makes a file's folders, and writes down which.
folder() {
    [ -d "$root$1" ] && return 0
    folder "$(dirname "$1")"
    do_it mkdir "$root$1"
    made="folder $1
$made"
}

install_all() {
    check
    made=$(grep '^folder ' "$root$list_path" 2>/dev/null || true)
    new=
    for path in $(ours); do
        folder "$(dirname "$path")"
        # In one go, so that no hook finds half a program, and one that runs keeps its own.
        do_it cp -P -p "$here$path" "$root$path.new"
        [ "$(id -u)" != 0 ] || do_it chown -h 0:0 "$root$path.new"
        do_it mv -f "$root$path.new" "$root$path"
        new="${new}file $(sum "$here$path") $path
"
    done
    upgraded=
    if [ -f "$root$list_path" ]; then
        upgraded=yes
        grep '^file ' "$root$list_path" | while read -r _ old path; do
            case "$new" in *" $path
"*) ;; *) if is_unchanged "$old" "$path"; then do_it rm -f "$root$path"; fi ;; esac
        done
    fi
    if [ -z "$dry" ]; then
        printf '%s%s\n' "$new" "$made" | grep . > "$root$list_path.new"
        mv -f "$root$list_path.new" "$root$list_path"
    fi
    systemd daemon-reload
    # A daemon that runs goes on with the new program: what sandboxes have stays theirs.
    [ -z "$upgraded" ] || systemd try-restart vfhook.service
    echo "next: vfhook setup --pools; vfhook doctor"
}

uninstall() {
    [ -f "$root$list_path" ] || { say "$root$list_path is not there: nothing was installed by this script"; exit 1; }
    if needed; then exit 1; fi
    if [ -z "$root" ] && [ -z "$dry" ] && [ -d /run/systemd/system ]; then
        systemctl disable --now vfhook.socket vfhook.service vfhook-provision.service
    fi
    list=$(cat "$root$list_path")
    do_it rm -f "$root$list_path"
    echo "$list" | grep '^file ' | while read -r _ old path; do
        if is_unchanged "$old" "$path"; then do_it rm -f "$root$path"; fi
    done
    do_it rm -rf "$root/run/vfhook" "$root/run/vfhook-history" "$root/var/lib/vfhook"
    echo "$list" | grep '^folder ' | while read -r _ path; do
        [ -n "$dry" ] || rmdir "$root$path" 2> /dev/null || say "$root$path is not empty and is left"
    done
    systemd daemon-reload
    [ ! -e "$root/etc/vfhook" ] || say "$root/etc/vfhook is yours and is left"
}

main() {
    here=$(cd "$(dirname "$0")" && pwd)
    root=${DESTDIR:-}
    root=${root%/}
    dry= what=install_all
    for argument in "$@"; do
        case "$argument" in
            --dry-run) dry=yes ;;
            --uninstall) what=uninstall ;;
            *) say "unknown: $argument; there are --uninstall and --dry-run"; exit 2 ;;
        esac
    done
    $what
}

main "$@"
