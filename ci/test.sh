#!/bin/sh
# Every test: Rust, then C, then Kamailio. The last line sums up; the exit status is 0 only when nothing failed.
#
# CARGO, CARGOFLAGS, FEATURES, BUILD, CC, CXX come from the Makefile. Two lanes run side by side: one has the Rust tests and
# what needs cargo; the other builds Kamailio, makes calls and waits for timers, and is shown when both have come to their
# ends. What both can do is done by the one that has time first.
# What lacks something here is said to be skipped, with what it lacks, and is counted as skipped.

here=$(cd "$(dirname "$0")" && pwd) || exit 1
cd "$here/.." || exit 1
. "$here/packages.sh"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
BUILD=${BUILD:-build}
export BUILD

# done_with TITLE PASSED FAILED SINCE [SKIPPED]: a line of the sum
done_with() {
	skipped=
	[ "${5:-0}" = 0 ] || skipped=", $5 skipped"
	echo "$1: $2 passed, $3 failed$skipped ($(($(date +%s) - $4)) s)" | tee -a "$scratch/sum"
}

# skip TITLE WHY: it was not run, and counts as one that was skipped
skip() {
	echo "$1: 0 passed, 0 failed, 1 skipped: $2" | tee -a "$scratch/sum"
}

# lacks TITLE WHAT...: true, and skips TITLE, when packages for these are missing
lacks() {
	title=$1
	shift
	missing=$(missing_packages "$@")
	[ -n "$missing" ] && skip "$title" "packages are missing: $missing"
}

number() { # word: the number before it in the line on standard input
	sed -n "s/.*\\(^\\|[^0-9]\\)\\([0-9][0-9]*\\) $1.*/\\2/p"
}

# run TITLE command...: runs it and adds its closing line "N passed, N failed" to the sum
run() {
	title=$1
	shift
	since=$(date +%s)
	log=$scratch/$(echo "$title" | tr -c 'a-zA-Z0-9\n' '_').log
	echo "--- $title"
	"$@" 2>&1 | tee "$log"
	line=$(grep -E '(^|[^0-9])[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$log" | tail -n 1)
	passed=$(echo "$line" | number passed)
	failed=$(echo "$line" | number failed)
	# No closing line: it did not get to its end.
	[ -n "$failed" ] || failed=1
	done_with "$title" "${passed:-0}" "$failed" "$since" "$(echo "$line" | number skipped)"
}

# --- Rust

# rust_tests TITLE argument...: the Rust tests with these arguments of cargo test. They go through a pipe, so the status
# travels in a file.
rust_tests() {
	title=$1
	shift
	since=$(date +%s)
	log=$scratch/rust.log
	{
		# shellcheck disable=SC2086
		${CARGO:-cargo} test ${CARGOFLAGS:-} --no-default-features --features "${FEATURES:-} fault_injection" \
			--no-fail-fast "$@" 2>&1
		echo "cargo status $?"
	} | tee "$log"
	status=$(sed -n 's/^cargo status //p' "$log")
	passed=$(awk '/^test result:/ { n += $4 } END { print n + 0 }' "$log")
	failed=$(awk '/^test result:/ { n += $6 } END { print n + 0 }' "$log")
	# A test program that does not even build, or dies, has no result line.
	[ "$status" = 0 ] || [ "$failed" -gt 0 ] || failed=1
	done_with "$title" "$passed" "$failed" "$since" "$(rust_skipped)"
}

# Scenarios that only a package has which is not here, when the tests said so.
rust_skipped() {
	awk '/ scenarios skipped: / { n += $1 } END { print n + 0 }' "$log"
}

# Tests that need what others test themselves with are ignored unless they are asked for, by their names.
corpus_tests() { # corpus, how the names of its tests begin
	if [ -f "${KAMAILIO_DNS_CORPORA:-build/corpora}/$1/.complete" ]; then
		rust_tests "Rust, corpus of $2" --test rpl --test corpora --test resolver_replay -- --ignored --nocapture "$2"
	else
		skip "Rust, corpus of $2" "it is not here: make fetch"
	fi
}

rust() {
	rust_tests Rust --lib --tests --examples

	# What the usual flags leave out.
	case " ${FEATURES:-} " in
	*" naptr_cache_all_ars "*) ;;
	*" use_naptr "*) rust_tests "Rust, NAPTR_CACHE_ALL_ARS" --features naptr_cache_all_ars --test lookup additional ;;
	esac

	sh ci/fetch/corpora.sh 2>&1 | sed 's/^/corpora: /'
	corpus_tests unbound-bookworm unbound
	corpus_tests c-ares c_ares
	corpus_tests bind bind
}

# --- Kamailio

# The original has these on; a library without them has less to compare than the cases ask for.
whole=yes
for feature in use_dns_cache use_dns_failover use_naptr dns_srv_lb cache_relevant_recs_only; do
	case " ${FEATURES:-} " in
	*" $feature "*) ;;
	*) whole=no ;;
	esac
done

# Modules of bookworm that are only loaded are not compiled: Debian's own are loaded (kamailio/checks/prebuilt.sh).
# `make flag-rows` compiles and loads them, too.
export KAMAILIO_FEWER_MODULES="${KAMAILIO_FEWER_MODULES-bookworm}"

# Kamailio's cores and modules, for all that follows; the file suites: those that can be built here.
build_kamailio() {
	suites=
	for suite in ${SUITES:-bookworm trixie}; do
		title="kamailio of $suite is built"
		if lacks "$title" sources kamailio "$suite"; then
			:
		elif ! sh kamailio/fetch.sh "$suite" >/dev/null 2>"$scratch/fetch"; then
			skip "$title" "its sources are not here: make fetch ($(tail -n 1 "$scratch/fetch"))"
		else
			run "$title" build_suite "$suite"
			[ "$failed" != 0 ] || suites="$suites $suite"
		fi
	done
	echo "$suites" >"$scratch/suites.new" && mv "$scratch/suites.new" "$scratch/suites"
}

build_suite() {
	if sh kamailio/build.sh "$1" "$BUILD" >/dev/null; then
		echo "1 passed, 0 failed"
	else
		echo "0 passed, 1 failed"
	fi
}

# Whether a process can have a network, and mounts, of its own.
has_namespaces() {
	if [ "$(id -u)" -eq 0 ]; then
		unshare --mount --net true
	else
		unshare --map-root-user --mount --net true
	fi 2>/dev/null
}

# Debian's own Kamailio, unmodified, of the oldest and the newest release: all replaced code ends the server if it runs.
# `make e2e-takeover` has all the scenarios.
taken_over() {
	whole_title="takeover of Debian's own Kamailio"
	if [ "$(uname -m)" != x86_64 ]; then
		skip "$whole_title" "these are the packages of amd64: make takeover-arm64 has those of arm64"
		return
	fi
	suites_there=
	for suite in bookworm forky; do
		if sh kamailio/fetch_packages.sh "$suite" >/dev/null 2>"$scratch/fetch"; then
			suites_there="$suites_there $suite"
		else
			skip "$whole_title, $suite" "its packages are not here: make fetch ($(tail -n 1 "$scratch/fetch"))"
		fi
	done
	run "takeover, refusals" sh takeover/check.sh
	# shellcheck disable=SC2086
	[ -z "$suites_there" ] || run "$whole_title" sh takeover/e2e.sh $suites_there -- --match "flow: |balance: "
	# The module is built from sources that are there for the versions tested above.
	for suite in $suites; do
		case " $suites_there " in
		*" $suite "*)
			run "module dns_wait by takeover, $suite" env TAKEOVER=1 sh kamailio/dns_wait/run.sh "$suite" -- \
				--match "a call waits|own DNS code|kept for all"
			;;
		esac
	done
}

# Whether calls can be made here; else says why not.
can_call() {
	title="failures, networks, end to end, dns_wait, soak, twin, cluster"
	lacks "$title" calls && return 1
	has_namespaces || {
		skip "$title" "no network namespaces here"
		return 1
	}
}

calls() {
	# Where DNS fails, the original is beside ours, too. `make failure-table` is the long version.
	# shellcheck disable=SC2086
	set -- $suites
	# shellcheck disable=SC2086
	run "failures" sh kamailio/failures/run.sh ${FAILURE_SUITES:-$1} -- --jobs 14
	# shellcheck disable=SC2086
	run "networks" sh kamailio/networks/run.sh ${FAILURE_SUITES:-$1} -- --short --jobs 14
	# Each version of Kamailio, whole: calls, then calls while everything changes.
	# shellcheck disable=SC2086
	run "end to end" sh kamailio/e2e/run.sh $suites
	# shellcheck disable=SC2086
	run "module dns_wait" sh kamailio/dns_wait/run.sh $suites
	# The handle of Kamailio 6.1.5, and the modules that calls need. `make layouts` runs everything on it.
	modules=$(sed -n '/^# what the tests run/,/^$/p' kamailio/modules | sed 's/#.*//')
	case " $suites " in
	*" trixie "*)
		run "end to end, handle of 48 octets" env KAMAILIO_MODULES="$modules" \
			sh kamailio/e2e/run.sh trixie-handle48 -- --match "flow: |balance: "
		;;
	esac
	taken_over
}

# first_for JOB: true for the first lane that asks
first_for() {
	mkdir "$scratch/claimed.$1" 2>/dev/null
}

# What either lane does when it has come to the end of its own: each of it by the lane that asks first, the longest first.
shared() {
	# One version after the other: both use the same ports and the same folder of libraries.
	if first_for kamailio; then
		for suite in $suites; do
			run "kamailio of $suite" env ROWS="$(flag_rows "$suite")" sh kamailio/check.sh "$suite"
		done
	fi
	[ "$calls_here" = yes ] && [ -n "$suites" ] || return 0
	if first_for soak; then
		seconds=${VALGRIND_SECONDS:-}
		! lacks "soak, under valgrind" valgrind || seconds=0
		# shellcheck disable=SC2086
		run "soak" env "SECONDS_=${SECONDS_:-40}" ${seconds:+VALGRIND_SECONDS=$seconds} sh kamailio/soak/run.sh $suites
	fi
	# shellcheck disable=SC2086
	! first_for twin || run "twin" sh c_tests/twin/run.sh $suites
	if ! first_for cluster; then
		:
	elif [ -f "${KAMAILIO_DNS_CLUSTER:-build/cluster}/.complete" ]; then
		# shellcheck disable=SC2086
		run "cluster" sh kamailio/cluster/run.sh $suites
	else
		skip "cluster" "its programs are not here: make fetch"
	fi
}

# The lane of Kamailio.
with_kamailio() {
	build_kamailio
	if [ -z "$suites" ]; then
		skip "twin, kamailio, calls" "no Kamailio could be built"
		return
	fi
	[ "$calls_here" = no ] || calls
	shared
}

# The suites that the other lane has built, as soon as it has come so far.
built_suites() {
	while [ ! -f "$scratch/suites" ] && kill -0 "$1" 2>/dev/null; do
		sleep 1
	done
	cat "$scratch/suites" 2>/dev/null
}

# Rows of the flag table for each suite: one of the two that compile all of the core, the others on one suite
# each. ALL_ROWS=1: every row on both.
flag_rows() {
	[ -z "${ALL_ROWS:-}" ] || return 0
	case $1 in
	bookworm) echo "all.of no.failover no.NAPTR" ;;
	*) echo "watchdog balancing resolver no.cache" ;;
	esac
}

computing() {
	if ! lacks "C" c; then
		run "C" sh c_tests/run.sh
		lacks "C under valgrind" valgrind || run "C under valgrind" env \
			VALGRIND="valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite" \
			sh c_tests/run.sh
		run "C with sanitizers" env \
			SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=all" sh c_tests/run.sh
	fi
	run "siptargets" sh examples/check.sh
	run "install, documented commands" sh ci/commands.sh
	run "flags" sh ci/flags.sh
	lacks "man pages" man || run "man pages" sh ci/man.sh
	run "other machines" sh ci/platforms.sh
	if [ "$whole" = no ]; then
		:
	elif [ -f "${KAMAILIO_DNS_FORWARDERS:-build/forwarders}/.complete" ]; then
		run "forwarders" sh forwarders/run.sh --short
	else
		skip "forwarders" "they are not here: make fetch"
	fi
	[ "$whole" = yes ] || return 0
	suites=$(built_suites "$lane")
	shared
}

suites=
if [ "$whole" = yes ]; then
	calls_here=no
	! can_call || calls_here=yes
	with_kamailio >"$scratch/lane" 2>&1 &
	lane=$!
else
	skip "twin, kamailio, calls" "a flag of the original is off"
fi
rust
computing
if [ "$whole" = yes ]; then
	wait "$lane"
	cat "$scratch/lane"
fi

echo
cat "$scratch/sum"
awk '{
	for (i = 2; i <= NF; i++) {
		if ($i ~ /^passed,$/) passed += $(i - 1)
		if ($i ~ /^failed,?$/) failed += $(i - 1)
		if ($i ~ /^skipped:?$/) skipped += $(i - 1)
	}
} END {
	printf "%d passed, %d failed", passed, failed
	if (skipped) printf ", %d skipped", skipped
	print ""
	exit failed > 0
}' "$scratch/sum"
