#!/bin/sh
# ruff.sh - gets ruff, which Debian 12 does not have, from PyPI into build/lint. Does nothing where one is there.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
wanted=0.17.6
folder=$root/build/lint
[ ! -x "$folder/bin/ruff" ] || case $("$folder/bin/ruff" --version) in
"ruff $wanted") exit 0 ;;
esac
command -v pip3 >/dev/null 2>&1 || {
	echo "ruff.sh: pip3 is missing (package python3-pip)" >&2
	exit 1
}
rm -rf "$folder.new"
pip3 install --retries 1 --timeout 20 --quiet --disable-pip-version-check --no-deps --root-user-action ignore --upgrade --target "$folder.new" "ruff==$wanted"
mkdir -p "$folder/bin"
mv "$folder.new/bin/ruff" "$folder/bin/ruff"
rm -rf "$folder.new"
