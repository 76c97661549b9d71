#!/bin/sh
# dist.sh OUT NAME - the sources with all crates, as OUT/NAME.tar.xz: what git has, and a folder of crates that cargo is
# told of, so that it builds offline. The same commit gives the same file.
set -eu

out=${1:?usage: dist.sh OUT NAME}
name=${2:?}
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$out"
out=$(cd "$out" && pwd)
: "${SOURCE_DATE_EPOCH:?}"
umask 022
work=$(mktemp -d "${TMPDIR:-/tmp}/kamailio-dns-dist.XXXXXX")
trap 'rm -rf "$work"' EXIT

cd "$root"
git rev-parse HEAD >/dev/null || {
	echo "make dist: this is no clone" >&2
	exit 1
}
git archive --prefix="$name/" HEAD | tar -x -C "$work"
cd "$work/$name"
mkdir -p .cargo
# One folder serves both packages of cargo.
"${CARGO:-cargo}" vendor --locked --quiet --sync takeover/Cargo.toml vendor
cat >.cargo/config.toml <<END
[source.crates-io]
replace-with = "vendored-sources"

[source.vendored-sources]
directory = "vendor"
END
cd "$work"
tar --sort=name --owner=0 --group=0 --numeric-owner --mode=go+u,go-w --mtime="@$SOURCE_DATE_EPOCH" --format=gnu \
	-cf "$name.tar" "$name"
xz -6 -T1 "$name.tar"
mv "$name.tar.xz" "$out/"
echo "$out/$name.tar.xz"
