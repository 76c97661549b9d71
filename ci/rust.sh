# shellcheck shell=sh
# Read by setup.sh, ready.sh and fetch/all.sh, which set root to the project's folder: which Rust is there, and whether
# it is new enough.

rust_wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")

# rust_trouble: one line about what is wrong with Rust; nothing when it will do. Cargo is not asked to read anything:
# an old one does not understand these files, and would complain about them.
rust_trouble() {
	rust_cargo=${CARGO:-cargo}
	rust_found=$($rust_cargo --version 2>/dev/null | sed -n 's/^cargo \([0-9.]*\).*/\1/p')
	if [ -z "$rust_found" ]; then
		echo "Rust is missing: $rust_wanted or later is needed"
	elif [ "$(printf '%s\n' "$rust_wanted" "$rust_found" | sort -V | head -n 1)" != "$rust_wanted" ]; then
		echo "Rust $rust_found is too old: $rust_wanted or later is needed"
	fi
}
