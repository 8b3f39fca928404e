# shellcheck shell=bash
# What the machines are made of: sourced by `run`, which says which kernels, root and modules.
# Everything is made under another name and renamed when it is whole, so that an interrupted run
# leaves nothing that the next one would mistake for the real thing.
# shellcheck disable=SC2154

# Why each package: the emulator; the root's files and its image; the initramfs and the program in
# it; the archives in which Debian ships kernels and modules; modprobe, which knows their order;
# `column` for the table; the C library to link with; the keys with which Debian signs its suites.
packages=(
    qemu-system-x86
    debootstrap e2fsprogs
    cpio busybox-static
    dpkg xz-utils zstd
    kmod
    bsdextrautils
    gcc libc6-dev
    debian-archive-keyring
)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

install_packages() {
    local missing=() package
    for package in "${packages[@]}"; do
        dpkg-query --show --showformat='${db:Status-Status}' "$package" 2> /dev/null \
            | grep -qx installed || missing+=("$package")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    say "Installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
}

# The mirror that this machine itself uses: apt knows its address, and this script does not.
mirror() {
    # The $(…) is for apt to fill in.
    # shellcheck disable=SC2016
    local ask=(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian')
    [ -n "$("${ask[@]}")" ] || apt-get update -qq >&2
    "${ask[@]}" | sed -n 1p | grep . || stop 'apt names no Debian mirror on this machine'
}

# A state of its own for apt: another suite, which the machine's own apt must never see. Nothing
# counts as installed, or what a list of another root says.
private_apt() {
    local state=$1 suite=$2 installed=${3-/dev/null}
    mkdir -p "$state/lists/partial" "$state/archives/partial"
    printf 'deb [target=Packages signed-by=%s] %s %s main\n' "$keyring" "$(mirror)" "$suite" \
        > "$state/sources.list"
    apt_options=(
        -qq -o "Dir::State=$state" -o "Dir::State::lists=$state/lists"
        -o "Dir::State::status=$installed" -o "Dir::Cache=$state"
        -o "Dir::Etc::SourceList=$state/sources.list" -o Dir::Etc::SourceParts=-
        -o APT::Architecture=amd64 -o APT::Sandbox::User=root -o Acquire::Languages=none
    )
    apt-get "${apt_options[@]}" update
}

# A suite's cloud kernel is unpacked, never installed. Newer suites split it into several packages.
fetch_kernel() {
    local kernel=$1 suite=$2 new=$work/kernel-$1 apt_options names package
    say "Fetching the kernel of $suite"
    private_apt "$new/apt" "$suite"
    names=$(apt-cache "${apt_options[@]}" --important depends --recurse linux-image-cloud-amd64 \
        | grep -E '^linux-(image|base|binary|modules)-[0-9]' | sort -u)
    [ -n "$names" ] || stop "$suite has no cloud kernel"
    # One name is one word.
    # shellcheck disable=SC2086
    (cd "$new" && apt-get "${apt_options[@]}" download $names)
    for package in "$new"/*.deb; do dpkg-deb --extract "$package" "$new"; done
    dpkg-deb --field "$new"/linux-image-*.deb Version > "$new/package"
    # The book calls it by this name.
    case $(cat "$new/package") in
    "${kernel%.x}".*) ;;
    *) stop "the kernel of $suite is $(cat "$new/package"), and not $kernel" ;;
    esac
    # It lies in /boot, and in newer suites beside its modules.
    find "$new" -type f -name 'vmlinuz*' -exec mv {} "$new/vmlinuz" \;
    # Suites with a merged /usr have the modules there, and modprobe looks in /lib.
    [ -d "$new/lib/modules" ] || ln -s usr/lib "$new/lib"
    basename "$new"/lib/modules/* > "$new/release"
    depmod --basedir "$new" "$(cat "$new/release")"
    (cd "$new" && rm -rf apt boot ./*.deb)
    mkdir -p "$cache/kernels"
    mv "$new" "$cache/kernels/$kernel"
}

# The modules of a kernel in the order in which they have to be loaded, dependencies first.
modules_in_order() {
    local base=$cache/kernels/$1 module
    for module in "${modules[@]}"; do
        modprobe --dirname "$base" --set-version "$(cat "$base/release")" --show-depends "$module"
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# The first root: busybox, the modules with their place in the order as their names, and `init`.
make_initramfs() {
    local kernel=$1 image=$2 tree=$work/tree-$1 number=100 applet file
    mkdir -p "$tree/bin" "$tree/modules"
    cp "$(command -v busybox)" "$tree/bin/busybox"
    for applet in sh mkdir rmdir mount insmod sleep tar stty ln cp cat switch_root; do
        ln -s busybox "$tree/bin/$applet"
    done
    cp "$here/init" "$tree/init"
    modules_in_order "$kernel" > "$tree/order"
    while read -r file; do
        number=$((number + 1))
        # Not every busybox and not every kernel unpacks modules; here it is certain.
        case $file in
        *.xz) xz --decompress --stdout "$file" ;;
        *.zst) zstd --quiet --decompress --stdout "$file" ;;
        *) cat "$file" ;;
        esac > "$tree/modules/$number.ko"
    done < "$tree/order"
    (cd "$tree" && find . -print0 | cpio --null --create --format=newc --owner=0:0 --quiet) > "$image"
}

# `ps`, which the article types; systemd, for the cells in which it is PID 1; and what it takes that
# a user can linger and has a manager of their own.
root_packages=(
    procps
    systemd dbus libpam-systemd dbus-user-session
)

# The second root, in which the cells run: a minimal Debian with a user, who lingers where systemd
# runs, and with Docker. One root serves all: what a machine does not start costs it nothing. The
# mount namespace takes with it whatever debootstrap has mounted, even if it is interrupted.
make_root() {
    local tree=$work/root
    say "Making a root image of Debian $root_release"
    unshare --mount debootstrap --variant=minbase --include="$(IFS=, && echo "${root_packages[*]}")" \
        --keyring="$keyring" "$root_release" "$tree" "$(mirror)" > "$work/debootstrap" 2>&1 \
        || { tail -n 20 "$work/debootstrap" && stop 'debootstrap failed'; }
    chroot "$tree" useradd --create-home --uid 1000 --shell /bin/bash learner
    mkdir -p "$tree/var/lib/systemd/linger"
    touch "$tree/var/lib/systemd/linger/learner"
    rm -rf "$tree"/var/cache/apt/archives/*.deb "$tree"/var/lib/apt/lists/*
    # What it is now is what the containers get, but for what no lesson reads.
    tar --create --file "$work/container.tar" --directory "$tree" \
        --exclude='./usr/share/doc/*' --exclude='./usr/share/locale/*' \
        --exclude='./usr/share/man/*' --exclude='./usr/share/zoneinfo/*' .
    add_docker "$tree"
    mkdir "$tree/job"
    truncate --size 1G "$work/root.ext4"
    mkfs.ext4 -q -O ^has_journal -d "$tree" "$work/root.ext4"
    rm -rf "$tree"
    import_image
    mv "$work/root.ext4" "$image"
}

# Docker, and AppArmor's parser, without which Docker starts no container where the kernel has
# AppArmor, as Debian's and Ubuntu's have. Their packages are unpacked and not installed: in a
# chroot, an installation would start the services on the machine that this runs on.
add_docker() {
    local tree=$1 state=$work/docker-apt apt_options package
    say 'Adding Docker'
    private_apt "$state" "$root_release" "$tree/var/lib/dpkg/status"
    apt-get "${apt_options[@]}" --yes --no-install-recommends --download-only \
        install docker.io apparmor
    for package in "$state"/archives/*.deb; do
        # In the root, /lib is a link, and has to stay one.
        dpkg-deb --fsys-tarfile "$package" \
            | tar --extract --directory "$tree" --keep-directory-symlink
    done
    rm -rf "$state"
}

# Docker keeps its images in a form of its own, which only Docker makes: in a machine, which may
# write into the root image.
import_image() {
    local place=$work/import/machine
    say 'Importing the image of the containers'
    mkdir -p "$place"
    write_job "$here/import.sh" "$place/job.tar"
    boot "$kernel_of_import" "$(command_line_for v2 init)" "$place" "file=$work/root.ext4" \
        -drive "file=$work/container.tar,format=raw,if=virtio,readonly=on"
    [ "$(tr -dc 0-9 < "$place/exit" 2> /dev/null || true)" = 0 ] \
        || { tail -n 20 "$place"/{console,output,qemu} && stop 'the import failed'; }
    rm "$work/container.tar"
}

# One static file that runs on every root. It has a target directory of its own, because other
# flags would make cargo compile everything in the usual one again.
build_program() {
    local target triple=x86_64-unknown-linux-gnu
    target=$(realpath -m "${CARGO_TARGET_DIR:-target}")/static
    say 'Building the program'
    RUSTFLAGS='-C target-feature=+crt-static' \
        cargo build --quiet --release --locked --target "$triple" --target-dir "$target"
    # shellcheck disable=SC2034
    program=$target/$triple/release/workbench
}
