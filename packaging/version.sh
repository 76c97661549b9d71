# shellcheck shell=sh
# Read by what builds and tests Kamailio's packages with the library: their version.

# version_of DSC
version_of() {
	sed -n 's/^Version: //p' "$1"
}

# our_version DEBIAN'S: it is later than Debian's, and earlier than any update of Debian's: its next revision, its next
# security update (+deb12u1), a rebuild of the same (+b1). A digit sorts before each letter.
our_version() {
	echo "$1+0kamailiodns1"
}

# next_updates DEBIAN'S NUMBER_OF_RELEASE: versions that may follow
next_updates() {
	case $1 in
	*+deb"$2"u[0-9]*) echo "${1%u*}u$((${1##*u} + 1))" ;;
	*) echo "$1+deb$2u1" ;;
	esac
	echo "$1+b1"
	revision=${1##*-}
	echo "${1%-*}-$((${revision%%[!0-9]*} + 1))"
}

# file_version VERSION: as it is in names of files, without the epoch
file_version() {
	echo "${1#*:}"
}
