#!/bin/sh
# setup.sh [--try] [WHAT...] - installs what the tests need on a Debian machine, after saying what that is: all tests, or
# those that packages.sh has under these words.
#
# Nothing of it is started, or will be at the next boot. Without root or sudo, or with SETUP=no, nothing is installed:
# then it says what is missing, which with --try is no failure. Rust is Debian's, when there is none and Debian has one
# that is new enough. Rust's library for other machines is rustup's, where the Rust in use is; Debian has none, and the
# tests for such a machine are skipped then.
set -u

here=$(cd "$(dirname "$0")" && pwd) || exit 1
root=$(dirname "$here")
. "$here/rust.sh"
. "$here/packages.sh"
. "$here/fetch/apt.sh"

is_fatal=1
[ "${1:-}" != --try ] || {
	is_fatal=0
	shift
}
scratch=
policy=

clean_up() {
	[ -z "$policy" ] || $as_root rm -f "$policy"
	[ -z "$scratch" ] || $as_root rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Nothing more can be done. What is missing is no failure with --try, but for Rust.
give_up() {
	[ -z "$missing" ] || echo "setup: not installed: $missing ($1)" >&2
	[ -z "$rust" ] || {
		echo "setup: $rust ($1)" >&2
		exit 1
	}
	exit "$is_fatal"
}

# The release that this machine runs.
release() {
	# shellcheck disable=SC1091
	(. /etc/os-release && echo "${VERSION_CODENAME:-}") 2>/dev/null
}

# Where Debian keeps a Rust that is newer than the release's own: "suite package...".
newer_rust() {
	case $(release) in
	bookworm) echo bookworm-security cargo-web rustc-web ;;
	trixie) echo trixie-backports cargo rustc ;;
	esac
}

quiet_apt() {
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" >"$scratch/log" 2>&1 || {
		tail -n 20 "$scratch/log" >&2
		return 1
	}
}

# Services that are started at boot.
enabled() {
	find /etc/systemd/system /etc/rc?.d -path '*.wants/*' -o -path '*/rc?.d/S*' 2>/dev/null | sort
}

# A policy of ours that no service is started, unless the machine has one itself.
forbid_services() {
	[ ! -e /usr/sbin/policy-rc.d ] || return 0
	printf '#!/bin/sh\nexit 101\n' >"$scratch/policy"
	chmod 755 "$scratch/policy"
	$as_root cp "$scratch/policy" /usr/sbin/policy-rc.d && policy=/usr/sbin/policy-rc.d
}

# Services that were not there before stay off.
switch_off() {
	enabled | comm -13 "$scratch/enabled" - | while read -r link; do
		name=$(basename "$link")
		case $link in
		*.wants/*) $as_root systemctl disable "$name" >/dev/null 2>&1 || $as_root rm -f "$link" ;;
		*) $as_root update-rc.d "$(echo "$name" | sed 's/^S[0-9]*//')" disable >/dev/null 2>&1 || true ;;
		esac
	done
}

# Those of the packages that this release has.
known() {
	for package in "$@"; do
		if apt-cache policy "$package" 2>/dev/null | grep -q 'Candidate: [^(]'; then
			echo "$package"
		else
			echo "setup: this release of Debian has no $package" >&2
		fi
	done
}

install_packages() {
	# shellcheck disable=SC2086
	if [ -n "$(known dpkg)" ] && [ -z "$(known $missing 2>/dev/null)" ]; then
		# apt has lists, and none of it is in them.
		return 0
	fi
	quiet_apt update || return 1
	# shellcheck disable=SC2046,SC2086
	set -- $(known $missing)
	[ $# -gt 0 ] || return 1
	echo "setup: installing these packages of Debian (SETUP=no would not): $*"
	forbid_services
	enabled >"$scratch/enabled"
	quiet_apt install --no-install-recommends "$@"
	status=$?
	switch_off
	return "$status"
}

# apt with the machine's own sources and that suite beside them; the machine's settings stay as they are.
apt_with_suite() {
	quiet_apt -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$scratch/parts" \
		-o Dir::State::lists="$scratch/lists" -o APT::Sandbox::User=root "$@"
}

install_rust() {
	# shellcheck disable=SC2046
	set -- $(newer_rust)
	[ $# -gt 1 ] || return 1
	suite=$1
	shift
	echo "setup: installing Rust from Debian's $suite (SETUP=no would not): $*"
	own_apt "$scratch" "$suite" deb || return 1
	mkdir -p "$scratch/parts"
	cp "$scratch/apt.sources" "$scratch/parts/rust.sources"
	[ ! -s /etc/apt/sources.list ] || cp /etc/apt/sources.list "$scratch/parts/machine.list"
	for file in /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list; do
		[ ! -s "$file" ] || cp "$file" "$scratch/parts/"
	done
	# From that suite these packages and what they need of it, and nothing else that it has newer.
	# shellcheck disable=SC2046
	apt_with_suite update &&
		apt_with_suite install --no-install-recommends $(printf "%s/$suite " "$@")
}

# add_targets [WHAT...]: Rust's library for other machines; it is the user's own, and needs no root
add_targets() {
	targets=$(missing_targets "$@")
	[ -n "$targets" ] || return 0
	if [ "${SETUP:-yes}" = no ]; then
		echo "setup: not installed: Rust's library for $targets (SETUP=no)" >&2
	elif ! has_rustup; then
		echo "setup: not installed: Rust's library for $targets (this Rust is not rustup's)" >&2
	else
		echo "setup: installing Rust's library by rustup (SETUP=no would not): $targets"
		# shellcheck disable=SC2086
		said=$(rustup target add $targets 2>&1) ||
			echo "setup: not installed: Rust's library for $targets ($(echo "$said" | tail -n 1))" >&2
	fi
}

missing=$(missing_packages "$@")
rust=$(rust_trouble)
[ -n "$rust" ] || add_targets "$@"
[ -n "$missing$rust" ] || exit 0
as_root=
[ "${SETUP:-yes}" != no ] || give_up "SETUP=no"
has_program apt-get || give_up "this is no Debian"
if [ "$(id -u)" -ne 0 ]; then
	as_root=$(command -v sudo) || give_up "needs root"
	[ -t 0 ] || sudo -n true 2>/dev/null || give_up "needs root"
fi
scratch=$(mktemp -d "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX") || exit 1
chmod 755 "$scratch"

if [ -n "$missing" ]; then
	install_packages || true
	# shellcheck disable=SC2046
	missing=$(known $(missing_packages "$@") 2>/dev/null | tr '\n' ' ')
fi
case $rust in
*missing*) install_rust || true ;;
esac
rust=$(rust_trouble)
[ -z "$missing$rust" ] || give_up "could not be installed"
