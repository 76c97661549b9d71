# shellcheck shell=sh
# tally.sh - to be sourced: runs programs whose last line is "N passed, N failed" or has ", N skipped" besides, and adds
# these lines up.
#
# Also reads the arguments that such a script has in common: SUITE... [-- options].

tally_log=$(mktemp "${TMPDIR:-/tmp}/kamailio-tally.XXXXXX") || exit 1
trap 'rm -f "$tally_log"' EXIT
passed=0
failed=0
skipped=0

# tally command...: runs it; one that does not come to its end counts as a failure, whatever it printed before
tally() {
	"$@" 2>&1 | tee "$tally_log" || true
	tally_line=$(tail -n 1 "$tally_log")
	case $tally_line in
	*[0-9]" passed, "[0-9]*" failed, "[0-9]*" skipped")
		tally_skipped=${tally_line% skipped}
		skipped=$((skipped + ${tally_skipped##* }))
		tally_line=${tally_line%, *}
		;;
	*[0-9]" passed, "[0-9]*" failed") ;;
	*) tally_line="0 passed, 1 failed" ;;
	esac
	tally_line=${tally_line##*: }
	passed=$((passed + ${tally_line%% *}))
	tally_line=${tally_line% failed}
	failed=$((failed + ${tally_line##* }))
}

# tally_end TITLE: the last line; the status is that of the whole, and a failure when nothing was checked
tally_end() {
	tally_skipped=
	[ "$skipped" -eq 0 ] || tally_skipped=", $skipped skipped"
	echo "${1:+$1: }$passed passed, $failed failed$tally_skipped"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

# suites_of argument...: the suites in front of "--", one in the default case
suites_of() {
	tally_suites=
	for tally_word in "$@"; do
		[ "$tally_word" != -- ] || break
		tally_suites="$tally_suites $tally_word"
	done
	echo "${tally_suites:-bookworm}"
}
