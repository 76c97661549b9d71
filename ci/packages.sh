# shellcheck shell=sh
# Read by setup.sh and test.sh: which of Debian's packages are missing for what.

PATH=$PATH:/usr/sbin:/sbin

has_program() {
	command -v "$1" >/dev/null 2>&1
}

has_header() { # file below /usr/include
	[ -e "/usr/include/$1" ] || [ -e "/usr/include/$(cc -dumpmachine 2>/dev/null)/$1" ]
}

# Lines of the table below: what for; program, header or file; package.
#   c          the library and its C tests        valgrind  the same under it
#   sources    source packages                    kamailio  Kamailio's core, and the modules that kamailio/modules names
#   bookworm, trixie   what the Kamailio of that release needs besides
#   calls      end-to-end and twin tests: callers and callees, nameserver, network namespaces
#   man        the check of the man pages
#   aarch64    tests for that machine, in an emulator   musl  tests with that libc
#   libuv      one example among the C tests
#   lint       scripts, Python, spelling
#   packages   tests of packages, only where somebody asks for it: lintian alone brings a hundred others
packages_table() {
	cat <<-END
		c        cc gcc
		c        c++ g++
		c        make make
		c        nm binutils
		c        pkg-config pkg-config
		c        /etc/ssl/certs/ca-certificates.crt ca-certificates
		valgrind valgrind valgrind
		sources  dpkg-source dpkg-dev
		sources  xz xz-utils
		sources  flock util-linux
		kamailio dpkg-buildflags dpkg-dev
		kamailio bison bison
		kamailio flex flex
		kamailio cmake cmake
		kamailio pkg-config pkg-config
		kamailio openssl/ssl.h libssl-dev
		kamailio curl/curl.h libcurl4-openssl-dev
		kamailio libxml2/libxml/parser.h libxml2-dev
		kamailio jansson.h libjansson-dev
		kamailio event.h libevent-dev
		bookworm pcre.h libpcre3-dev
		trixie   pcre2.h libpcre2-dev
		kamailio readline/readline.h libreadline-dev
		kamailio ncurses.h libncurses-dev
		kamailio unistr.h libunistring-dev
		calls    sipp sip-tester
		calls    nsd nsd
		calls    ip iproute2
		calls    python3 python3
		man      man man-db
		aarch64  aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
		aarch64  aarch64-linux-gnu-g++ g++-aarch64-linux-gnu
		aarch64  /usr/aarch64-linux-gnu/include/stdio.h libc6-dev-arm64-cross
		aarch64  qemu-aarch64 qemu-user
		musl     musl-gcc musl-tools
		libuv    uv.h libuv1-dev
		lint     shellcheck shellcheck
		lint     codespell codespell
		lint     pip3 python3-pip
		packages debootstrap debootstrap
		packages dpkg-scanpackages dpkg-dev
		packages lintian lintian
		packages systemd-analyze systemd
		packages rpmbuild rpm
		packages rpm2cpio rpm2cpio
		packages cpio cpio
		packages rpmlint rpmlint
	END
}

# missing_packages [WHAT...]: the packages that these need and that are not there; by default of all but `packages`
missing_packages() {
	packages_table | while read -r what needed package; do
		case " ${*:-${what#packages}} " in
		*" $what "*) ;;
		*) continue ;;
		esac
		case $needed in
		/*) [ -e "$needed" ] ;;
		*.h) has_header "$needed" ;;
		*) has_program "$needed" ;;
		esac || echo "$package"
	done | sort -u | tr '\n' ' ' | sed 's/ $//'
}
