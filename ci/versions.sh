#!/bin/sh
# versions.sh rust|crates - what Cargo.toml promises of versions. Prints "N passed, N failed", and what was skipped.
#
#   rust    the oldest Rust that is promised: no crate asks for a later one, and that Rust builds the library, where
#           rustup has it (rustup toolchain install 1.88) or MSRV_CARGO names its cargo. Clippy looks at the functions of
#           the standard library in `make lint` (incompatible_msrv).
#   crates  the lowest versions of the crates that Cargo.toml names build the library and its tests. They come from
#           the network. The lock file stays as it is: this is done in a copy.
set -u

what=${1:?usage: versions.sh rust|crates}
root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
cd "$root" || exit 1
. ci/rust.sh
cargo=${CARGO:-cargo}
target=$root/${CARGO_TARGET_DIR:-target}
case ${CARGO_TARGET_DIR:-} in
/*) target=$CARGO_TARGET_DIR ;;
esac
passed=0
failed=0
skipped=0
scratch=$(mktemp -d "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
log=$scratch/log

check() { # what, command...
	title=$1
	shift
	if "$@" >"$log" 2>&1; then
		passed=$((passed + 1))
		echo "$title: passed"
	else
		failed=$((failed + 1))
		echo "FAILED: $title"
		tail -n 30 "$log"
	fi
}

skip() { # what, why
	skipped=$((skipped + 1))
	echo "$1: skipped: $2"
}

# Crates whose rust-version is later than the one promised.
no_crate_is_newer() {
	host=$(rustc -vV | sed -n 's/^host: //p')
	# shellcheck disable=SC2086
	$cargo metadata --locked --format-version 1 ${host:+--filter-platform $host} | python3 -c '
import json, sys
promised = sys.argv[1]
number = lambda text: [int(part) for part in text.split(".")]
packages = json.load(sys.stdin)["packages"]
newer = [p for p in packages if p["rust_version"] and number(p["rust_version"]) > number(promised)]
for p in newer:
    print(p["name"], p["version"], "wants Rust", p["rust_version"])
sys.exit(bool(newer) or len(packages) < 10)
' "$rust_wanted"
}

oldest_rust() {
	check "no crate wants a later Rust than $rust_wanted" no_crate_is_newer
	if [ -n "${MSRV_CARGO:-}" ]; then
		set -- "$MSRV_CARGO"
	elif rustup run "$rust_wanted" cargo --version >/dev/null 2>&1; then
		set -- rustup run "$rust_wanted" cargo
	else
		skip "Rust $rust_wanted builds the library" "it is not here (rustup toolchain install $rust_wanted)"
		return
	fi
	check "Rust $rust_wanted builds the library" env CARGO_TARGET_DIR="$target/msrv" "$@" check --locked --lib
}

copy() {
	if git rev-parse HEAD >/dev/null 2>&1; then
		git ls-files -z | tar -c --null -T - -f - | tar -x -C "$scratch/copy"
	else
		tar -c --exclude=./target --exclude=./build --exclude=./vendor . | tar -x -C "$scratch/copy"
	fi
}

# The choice of versions is cargo's, with an option that is not a stable one yet.
lowest() {
	RUSTC_BOOTSTRAP=1 $cargo update --quiet -Z direct-minimal-versions
}

lowest_crates() {
	mkdir "$scratch/copy"
	copy || exit 1
	cd "$scratch/copy" || exit 1
	check "there are lowest versions" lowest
	[ "$failed" -eq 0 ] || return
	check "they build the library and its tests" env CARGO_TARGET_DIR="$target/lowest" \
		"$cargo" check --locked --quiet --lib --tests
}

case $what in
rust) oldest_rust ;;
crates) lowest_crates ;;
*) echo "usage: versions.sh rust|crates" >&2 && exit 2 ;;
esac
more=
[ "$skipped" -eq 0 ] || more=", $skipped skipped"
echo "$passed passed, $failed failed$more"
[ "$failed" -eq 0 ]
