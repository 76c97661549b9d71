# shellcheck shell=sh
# Read by setup.sh, ready.sh, platforms.sh and fetch/all.sh, which set root to the project's folder: which Rust is there,
# whether it is new enough, and for which machines it has its library.

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

# has_std TARGET: Rust's library for it is there
has_std() {
	ls "$(rustc --print target-libdir --target "$1" 2>/dev/null)"/libstd-*.rlib >/dev/null 2>&1
}

# Whether the Rust in use is one that rustup looks after: it can add to it.
has_rustup() {
	rustup_rustc=$(rustup which rustc 2>/dev/null) || return 1
	[ "$(rustc --print sysroot 2>/dev/null)" = "${rustup_rustc%/bin/rustc}" ]
}

# missing_targets [WHAT...]: the targets of Rust that the tests of these lack its library for; by default of all. What
# another machine alone can run is not one of them.
missing_targets() {
	while read -r what machine target; do
		case " ${*:-$what} " in
		*" $what "*) ;;
		*) continue ;;
		esac
		case $machine in
		any | "$(uname -m)") has_std "$target" || echo "$target" ;;
		esac
	done <<-END | tr '\n' ' ' | sed 's/ $//'
		aarch64 any    aarch64-unknown-linux-gnu
		musl    x86_64 x86_64-unknown-linux-musl
	END
}
