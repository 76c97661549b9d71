#!/bin/sh
# recipes.sh - adds an option, an RPC and a record type to a copy of the sources, by the recipes of CONTRIBUTING.md, and
# counts the places that had to be touched by hand. Then the copy has to build without a warning, its tests have to
# notice that the pages are not current, and `make man` has to bring the new names into them.
# Prints "N passed, N failed". Needs cargo and the crates, and about a minute.
set -u

root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
cd "$root" || exit 1
cargo=${CARGO:-cargo}
target=$root/${CARGO_TARGET_DIR:-target}
case ${CARGO_TARGET_DIR:-} in
/*) target=$CARGO_TARGET_DIR ;;
esac
# The same folder each time: the crates stay built.
copy=$target/recipes/tree
CARGO_TARGET_DIR=$target/recipes/target
RUSTFLAGS="-D warnings"
export CARGO_TARGET_DIR RUSTFLAGS
passed=0
failed=0
log=$(mktemp "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX") || exit 1
trap 'rm -f "$log"' EXIT

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

# places GOAL WHAT FILE SED-SCRIPT: edits a file of the copy; each run of changed lines is a place
places() {
	goal=$1 what=$2 file=$3
	sed "$4" "$copy/$file" >"$copy/$file.new" && mv "$copy/$file.new" "$copy/$file"
	count=$(diff "$file" "$copy/$file" | grep -c '^[0-9]')
	check "$what: $count place, goal $goal" test "$count" -eq "$goal"
}

named() { # file, text
	grep -qF -- "$2" "$copy/$1"
}

man() {
	(cd "$copy" && "$cargo" test --locked --quiet --test man)
}

rm -rf "$copy"
mkdir -p "$copy"
tar -c --exclude=./target --exclude=./build --exclude=./vendor --exclude=./.git . | tar -x -C "$copy" || exit 1

places 1 "an option" src/host/options/own.rs '/^    LogLevel: int(/i\
    RecipeLimit: number("dns_recipe_limit", (7, 1, 9), "s",\
        "what the recipe for options adds");'
places 1 "an RPC" src/ffi/rpc_register.rs '/^static COMMANDS/a\
    Command {\
        name: c"dns.recipe",\
        arguments: "name",\
        function: entry!(super::rpc_config::answer),\
        help: c"What the recipe for commands adds.",\
        says: "",\
        reply: Reply::One,\
    },'
places 1 "a record type" src/rr/rdata.rs 's/PTR = 12 as Name;/PTR = 12 as Name, DNAME = 39 as Name;/'

check "the library builds without a warning" sh -c "cd '$copy' && '$cargo' check --locked --quiet --lib"
man >"$copy/before" 2>&1
# shellcheck disable=SC2016
check "tests/man.rs notices that the pages are not current" grep -q 'run `make man`' "$copy/before"
UPDATE_MAN=1
export UPDATE_MAN
check "the pages are written" man
unset UPDATE_MAN
check "tests/man.rs is content then" man
# shellcheck disable=SC2016
check "README has the option" named README.md '| `dns_recipe_limit` | 7 | s | what the recipe for options adds; 1 to 9 |'
check "kamailio-dns.7 has the option" named docs/man/kamailio-dns.7 'DNS.recipe_limit'
check "kamailio_dns.3 has the option" named docs/man/kamailio_dns.3 'dns_recipe_limit'
check "kamailio-dns.7 has the command" named docs/man/kamailio-dns.7 'dns.recipe'
# shellcheck disable=SC2016
check "docs/observability.md has the command" named docs/observability.md '| `dns.recipe` | name | What the recipe for commands adds. |'
check "the cache keeps the record type" sh -c \
	"cd '$copy' && '$cargo' test --locked --quiet --lib each_kept_type_is_read_in_its_form | grep -q '1 passed'"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
