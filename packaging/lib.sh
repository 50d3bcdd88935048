# shellcheck shell=bash
# Shared by packaging/quickstart and tests/run: what is said, what is installed.
# Sourced by bash; not a program.

say() { printf '==> %s\n' "$*"; }
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# What building needs, what running needs. A|B: either will do.
# shellcheck disable=SC2034 # used by who sources this
build_packages=(gcc libc6-dev meson ninja-build 'pkg-config|pkgconf'
	libfuse3-dev
	'libcurl4-openssl-dev|libcurl4-gnutls-dev' libcjson-dev libdeflate-dev libgit2-dev
	libsqlite3-dev nettle-dev uthash-dev zlib1g-dev)
# shellcheck disable=SC2034
run_packages=(fuse3 git python3 ca-certificates)

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

installed() {
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# need PACKAGE…: installs those that are missing; silent when none is.
need() {
	local missing=() wanted package ok
	command -v dpkg-query >/dev/null ||
		die "this is no Debian: install the equivalents of $* and build with meson by hand"
	for wanted; do
		ok=
		for package in ${wanted//|/ }; do
			if installed "$package"; then ok=1; fi
		done
		[ -n "$ok" ] || missing+=("${wanted%%|*}")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
		die "these packages are missing and there is no sudo here; as root run: apt-get install ${missing[*]}"
	fi
	say "installing: ${missing[*]}"
	# An old list of packages may still do.
	quietly as_root apt-get -qq update ||
		say "apt-get update failed; going on with the lists that are there"
	quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
		install --no-install-recommends "${missing[@]}" ||
		die "apt-get could not install the packages (its words are above)"
}

# quietly COMMAND…: its output only when it fails.
quietly() {
	local file log
	file=$(mktemp)
	exec {log}<>"$file"
	# Who interrupts this leaves no file behind.
	rm -f "$file"
	if "$@" >&"$log" 2>&1; then
		exec {log}>&-
		return 0
	fi
	cat "/dev/fd/$log" >&2
	exec {log}>&-
	return 1
}

# /dev/fuse, openable by this user; false with a sentence when it is not.
need_fuse() {
	if [ ! -e /dev/fuse ]; then
		as_root modprobe fuse 2>/dev/null || true
	fi
	if [ ! -e /dev/fuse ]; then
		echo "${0##*/}: there is no /dev/fuse: load the kernel's fuse module (modprobe fuse), or start this container with --device /dev/fuse --cap-add SYS_ADMIN" >&2
		return 1
	fi
	if [ ! -r /dev/fuse ] || [ ! -w /dev/fuse ]; then
		if ! command -v sudo >/dev/null; then
			echo "${0##*/}: this user may not open /dev/fuse: as root run chmod 666 /dev/fuse" >&2
			return 1
		fi
		say "letting every user open /dev/fuse, as is usual: sudo chmod 666 /dev/fuse"
		sudo chmod 666 /dev/fuse || return 1
	fi
	# A system without an init lacks it; fusermount3 unmounts by it.
	if [ ! -e /etc/mtab ]; then
		say "making /etc/mtab, which fusermount3 reads"
		as_root ln -sf ../proc/self/mounts /etc/mtab || return 1
	fi
}
