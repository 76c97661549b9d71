#!/bin/sh
# machines.sh [MACHINE...] - whether the layouts are right for machines that nothing is run on: armhf, i686, riscv64,
# s390x. The compiler asserts those that programs in C know, and those of what processes share.
#
# Nothing is linked, so no C compiler is needed: Rust's library for the target will do, which rustup adds here (SETUP=no
# adds nothing). A machine for which it is missing is counted as skipped. The last line says how many passed, failed and
# were skipped.
set -u

root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
cd "$root" || exit 1
. ci/rust.sh
passed=0
failed=0
skipped=0
log=$(mktemp "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX") || exit 1
trap 'rm -f "$log"' EXIT

# check MACHINE TARGET
check() {
	if ! has_std "$2" && [ "${SETUP:-yes}" != no ] && has_rustup; then
		echo "machines: installing Rust's library by rustup (SETUP=no would not): $2"
		rustup target add "$2" >/dev/null 2>&1
	fi
	if ! has_std "$2"; then
		skipped=$((skipped + 1))
		echo "$1: skipped: no Rust library for it (rustup target add $2)"
		return
	fi
	# shellcheck disable=SC2086
	if ${CARGO:-cargo} check ${CARGOFLAGS:---locked} --target "$2" --lib >"$log" 2>&1; then
		passed=$((passed + 1))
		echo "$1: $2 passed"
	else
		failed=$((failed + 1))
		grep -E -A 8 '^error' "$log" | head -n 40
		echo "$1: $2 FAILED"
	fi
}

[ $# -gt 0 ] || set -- armhf i686 riscv64 s390x
for machine; do
	case $machine in
	armhf) check armhf armv7-unknown-linux-gnueabihf ;;
	i686) check i686 i686-unknown-linux-gnu ;;
	riscv64) check riscv64 riscv64gc-unknown-linux-gnu ;;
	s390x) check s390x s390x-unknown-linux-gnu ;;
	*)
		echo "machines: there is no $machine" >&2
		exit 2
		;;
	esac
done
more=
[ "$skipped" -eq 0 ] || more=", $skipped skipped"
echo "layouts of machines: $passed passed, $failed failed$more"
[ "$failed" -eq 0 ]
