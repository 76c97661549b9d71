# shellcheck shell=sh
# Read by scripts that count checks. $log is a file for what a command says.
#
#   check WHAT command...   counts; what failed is printed, with the end of what it said
#   skip WHY                counts, and says it
#   tally_up FILE           adds what another such script printed into FILE; no closing line is a failure
#   checks_end              the closing line, "N passed, N failed", with what was skipped; the status is that of the whole
#   fails command...        succeeds when the command does not
#   is EXPECTED FOUND       compares texts, and shows them

passed=0
failed=0
skipped=0

check() {
	what=$1
	shift
	if "$@" >"$log" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED: $what"
		tail -n 15 "$log" | sed 's/^/    /'
	fi
}
skip() {
	skipped=$((skipped + 1))
	echo "skipped: $1"
}
tally_up() {
	cat "$1"
	tally_line=$(tail -n 1 "$1" | grep -E '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' || echo 0 passed, 1 failed)
	passed=$((passed + $(echo "$tally_line" | cut -d ' ' -f 1)))
	failed=$((failed + $(echo "$tally_line" | cut -d ' ' -f 3)))
	skipped=$((skipped + $(echo "$tally_line, 0" | cut -d ' ' -f 5)))
}
checks_end() {
	echo "$passed passed, $failed failed$([ "$skipped" -eq 0 ] || echo ", $skipped skipped")"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
fails() {
	! "$@"
}
is() {
	echo "expected: $1"
	echo "found:    $2"
	[ "$1" = "$2" ]
}
