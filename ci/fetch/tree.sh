# shellcheck shell=sh
# Read by what runs programs of another machine's packages: fetch_tree SUITE FOLDER PACKAGE... gets binary packages of Debian
# with all that they want, and unpacks them, without installing anything, to FOLDER/root. It prints FOLDER, and does nothing
# when they are there. Where the function `leave_out FILE` succeeds, a package is left out.

. "$root/ci/fetch/apt.sh"

fetch_tree() {
	suite=$1
	mkdir -p "$2"
	dest=$(cd "$2" && pwd)
	shift 2
	exec 9>"$dest/lock"
	flock 9
	if [ "$(cat "$dest/.complete" 2>/dev/null)" = "$*" ]; then
		echo "$dest"
		return 0
	fi
	work=$dest/fetch
	rm -rf "$work" "$dest/root"
	mkdir -p "$work" "$dest/root"
	own_apt "$work" "$suite" deb
	# As if nothing were installed: what is here may be newer than what they want.
	: >"$work/status"
	{ apt update && apt install -y --download-only --no-install-recommends -o Dir::State::status="$work/status" \
		-o Debug::NoLocking=1 "$@"; } >"$work/log" 2>&1 || {
		cat "$work/log" >&2
		return 1
	}
	for package in "$work"/cache/archives/*.deb; do
		leave_out "$package" || dpkg-deb -x "$package" "$dest/root"
	done
	echo "$*" >"$dest/.complete"
	rm -rf "$work"
	echo "$dest"
}
