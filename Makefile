# kamailio-dns: the one front door for people, packagers and CI. `make help` lists the targets.

CARGO      ?= cargo
CARGOFLAGS ?= --locked
CC         ?= cc
CXX        ?= c++
INSTALL    ?= install
PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include/kamailio-dns
DATADIR    ?= $(PREFIX)/share/kamailio-dns
BINDIR     ?= $(PREFIX)/bin
MANDIR     ?= $(PREFIX)/share/man
DOCDIR     ?= $(PREFIX)/share/doc/kamailio-dns
PKGCONFIGDIR ?= $(LIBDIR)/pkgconfig
DESTDIR    ?=
V          ?= 0
SETUP      ?= yes
DEMO       ?= short

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
SOMAJOR := 0
BUILD   := build
SO      := libkamailio_dns.so
SOFILE  := $(SO).$(VERSION)
# What a core of Kamailio is linked with, besides the library.
LINKING := library.mk library.cmake kamailio_dns_layout.c
MANUALS := siptargets.1 kamailio_dns.3 kamailio_dns_client.3 kdns_open.3 kdns_resolve.3 kdns_status.3 kdns_ready.3 kdns_watch.3 \
	kamailio-dns.7
HEADERS := kamailio_dns.h kamailio_dns_client.h kamailio_dns_types.h kamailio_dns_cache_defs.h resolve.h dns_cache.h dns_func.h dns_wrappers.h
# A target of Rust other than this machine's, in cargo's own variable: `make CARGO_BUILD_TARGET=aarch64-unknown-linux-gnu`.
export CARGO_BUILD_TARGET
ifeq ($(CARGO_BUILD_TARGET),)
unexport CARGO_BUILD_TARGET
endif
# LIB_PROFILE=dev: as the Rust tests are compiled, for tests alone.
RELEASE := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)$(CARGO_BUILD_TARGET:%=/%)/$(if $(filter dev,$(LIB_PROFILE)),debug,release)

# --- flags: Makefile.defs, one more with extra_defs or EXTRA_DEFS, one less with DEFS_RM

include Makefile.defs

KNOWN := USE_DNS_CACHE USE_DNS_FAILOVER USE_NAPTR DNS_SRV_LB NAPTR_CACHE_ALL_ARS \
	CACHE_RELEVANT_RECS_ONLY RESOLVE_DBG NAPTR_DBG DNS_CACHE_DEBUG USE_DNS_CACHE_STATS \
	DNS_WATCHDOG_SUPPORT

ASKED := $(filter-out $(DEFS_RM),$(C_DEFS) $(extra_defs) $(EXTRA_DEFS))
FLAGS := $(sort $(patsubst -D%,%,$(ASKED)))
UNKNOWN := $(filter-out $(KNOWN),$(FLAGS)) $(filter-out $(KNOWN),$(patsubst -D%,%,$(DEFS_RM)))

ifneq ($(strip $(UNKNOWN)),)
$(error unknown flag: $(strip $(UNKNOWN)); the flags are: $(KNOWN))
endif

# $(call needs,FLAG,NEEDED): refuses FLAG without NEEDED
needs = $(if $(filter $(1),$(FLAGS)),$(if $(filter $(2),$(FLAGS)),,$(error $(1) needs $(2), which is off)))

$(call needs,USE_DNS_FAILOVER,USE_DNS_CACHE)
$(call needs,DNS_SRV_LB,USE_DNS_FAILOVER)
$(call needs,CACHE_RELEVANT_RECS_ONLY,USE_DNS_CACHE)
$(call needs,DNS_CACHE_DEBUG,USE_DNS_CACHE)
$(call needs,USE_DNS_CACHE_STATS,USE_DNS_CACHE)
$(call needs,DNS_WATCHDOG_SUPPORT,USE_DNS_CACHE)
$(call needs,NAPTR_CACHE_ALL_ARS,USE_DNS_CACHE)
$(call needs,NAPTR_CACHE_ALL_ARS,USE_NAPTR)
$(call needs,NAPTR_DBG,USE_NAPTR)

# What is in BUILD: the flags, and the target when it is not this machine's.
BUILT := $(strip $(FLAGS) $(CARGO_BUILD_TARGET) $(filter dev,$(LIB_PROFILE)))
FEATURES := $(shell echo '$(FLAGS)' | tr 'A-Z' 'a-z')
CARGO_FEATURES := --no-default-features $(if $(FEATURES),--features "$(FEATURES)")

Q := $(if $(filter 0,$(V)),@)

# --- building

.PHONY: soak tsan kamailio features loom all lib built install uninstall run test check-c lint header valgrind asan e2e e2e-selftest failures failure-table bench-kamailio bench-kamailio-quick clean help setup try-setup fetch ready
# cargo and Kamailio's build use all CPUs by themselves, and what is installed has to be there before the rest.
.NOTPARALLEL:

all: lib

# Rust is new enough, and the crates are there or can be had.
ready:
	$(Q)CARGO="$(CARGO)" sh ci/ready.sh

# Programs may have the library mapped: a file is put into place by a rename, and only when it has changed.
lib: ready
	$(Q)$(CARGO) build $(if $(filter dev,$(LIB_PROFILE)),--lib,--release) $(CARGOFLAGS) $(CARGO_QUIET) $(CARGO_FEATURES)
	$(Q)mkdir -p $(BUILD)/include/host
	$(Q)sh ci/place.sh $(RELEASE)/$(SO) $(BUILD)/$(SOFILE)
	$(Q)sh ci/place.sh --link $(SOFILE) $(BUILD)/$(SO).$(SOMAJOR)
	$(Q)sh ci/place.sh --link $(SO).$(SOMAJOR) $(BUILD)/$(SO)
	$(Q)sh ci/place.sh $(RELEASE)/libkamailio_dns.a $(BUILD)/libkamailio_dns.a
	$(Q)for header in $(HEADERS) host/kamailio_host.h; do \
		sh ci/place.sh include/$$header $(BUILD)/include/$$header || exit 1; done
	$(Q)sh ci/flags_header.sh $(FLAGS) > $(BUILD)/flags.new
	$(Q)sh ci/place.sh $(BUILD)/flags.new $(BUILD)/include/host/kamailio_flags.h && rm -f $(BUILD)/flags.new
	$(Q)$(call pkg_config,$(PREFIX)) > $(BUILD)/kamailio-dns.pc
	$(Q)CC="$(CC)" sh ci/siptargets.sh $(BUILD) $(VERSION)
	$(Q)echo "$(BUILT)" > $(BUILD)/.built
	@echo "built $(BUILD)/$(SO), $(BUILD)/libkamailio_dns.a with: $(if $(FLAGS),$(FLAGS),no flags)"

pkg_config = sed -e 's|@PREFIX@|$(1)|; s|@LIBDIR@|$(LIBDIR)|; s|@INCLUDEDIR@|$(INCLUDEDIR)|' \
	-e 's|@VERSION@|$(VERSION)|' kamailio-dns.pc.in

# The same without cargo when the library was built from these sources with these flags: root may have no Rust.
built:
	$(Q)sh ci/is_built.sh $(BUILD) "$(BUILT)" || $(MAKE) --no-print-directory lib

install: built
	$(INSTALL) -d $(DESTDIR)$(LIBDIR) $(DESTDIR)$(INCLUDEDIR)/host $(DESTDIR)$(PKGCONFIGDIR)
	sh ci/place.sh $(BUILD)/$(SOFILE) $(DESTDIR)$(LIBDIR)/$(SOFILE) 755
	sh ci/place.sh --link $(SOFILE) $(DESTDIR)$(LIBDIR)/$(SO).$(SOMAJOR)
	sh ci/place.sh --link $(SO).$(SOMAJOR) $(DESTDIR)$(LIBDIR)/$(SO)
	sh ci/place.sh $(BUILD)/libkamailio_dns.a $(DESTDIR)$(LIBDIR)/libkamailio_dns.a 644
	$(INSTALL) -m 644 $(addprefix $(BUILD)/include/,$(HEADERS)) $(DESTDIR)$(INCLUDEDIR)/
	$(INSTALL) -m 644 $(BUILD)/include/host/kamailio_host.h $(BUILD)/include/host/kamailio_flags.h \
		$(DESTDIR)$(INCLUDEDIR)/host/
	$(call pkg_config,$(PREFIX)) > $(DESTDIR)$(PKGCONFIGDIR)/kamailio-dns.pc
	chmod 644 $(DESTDIR)$(PKGCONFIGDIR)/kamailio-dns.pc
	$(INSTALL) -d $(DESTDIR)$(DATADIR)
	$(INSTALL) -m 644 $(addprefix kamailio/,$(LINKING)) $(DESTDIR)$(DATADIR)/
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(DOCDIR) $(addprefix $(DESTDIR)$(MANDIR)/man,1 3 7)
	[ ! -e $(BUILD)/siptargets ] || sh ci/place.sh $(BUILD)/siptargets $(DESTDIR)$(BINDIR)/siptargets 755
	$(INSTALL) -m 644 COPYING NOTICES $(DESTDIR)$(DOCDIR)/
	for page in $(MANUALS); do \
		$(INSTALL) -m 644 docs/man/$$page $(DESTDIR)$(MANDIR)/man$${page##*.}/ || exit 1; done
	sh ci/ldconfig.sh "$(DESTDIR)" "$(LIBDIR)"

uninstall:
	rm -f $(DESTDIR)$(LIBDIR)/$(SO) $(DESTDIR)$(LIBDIR)/$(SO).$(SOMAJOR) \
		$(DESTDIR)$(LIBDIR)/$(SOFILE) $(DESTDIR)$(LIBDIR)/libkamailio_dns.a \
		$(DESTDIR)$(PKGCONFIGDIR)/kamailio-dns.pc
	rm -f $(addprefix $(DESTDIR)$(INCLUDEDIR)/,$(HEADERS)) \
		$(DESTDIR)$(INCLUDEDIR)/host/kamailio_host.h $(DESTDIR)$(INCLUDEDIR)/host/kamailio_flags.h
	-rmdir $(DESTDIR)$(INCLUDEDIR)/host $(DESTDIR)$(INCLUDEDIR)
	rm -f $(addprefix $(DESTDIR)$(DATADIR)/,$(LINKING))
	rm -f $(DESTDIR)$(BINDIR)/siptargets $(addprefix $(DESTDIR)$(DOCDIR)/,COPYING NOTICES)
	for page in $(MANUALS); do rm -f $(DESTDIR)$(MANDIR)/man$${page##*.}/$$page; done
	-rmdir $(DESTDIR)$(DATADIR) $(DESTDIR)$(DOCDIR)

# Packages of Debian in BUILD/deb. What they hold is built in a folder of its own, without the names of folders.
.PHONY: deb package-test kamailio-deb kamailio-deb-test rpm rpm-test dist man drawing notices
EPOCH = $(shell echo "$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null || stat -c %Y Cargo.toml)}")
deb: ready
	$(Q)CARGO="$(CARGO)" CARGOFLAGS="$(CARGOFLAGS)" FLAGS="$(extra_defs)" DEFS_RM="$(DEFS_RM)" SOURCE_DATE_EPOCH=$(EPOCH) \
		sh packaging/build.sh $(BUILD)/deb $(RELEASE)/../deb

# Installs them beside Debian's kamailio, in folders that debootstrap makes: PACKAGE_SUITES="bookworm trixie", or
# PACKAGE_ROOT=dir for a folder that is there. TWICE=no leaves out the second build in another folder.
package-test: setup-packages deb
	$(Q)BUILD=$(BUILD) PACKAGE_ROOT="$(PACKAGE_ROOT)" sh packaging/test.sh

# The module dns_wait for Debian's Kamailio of SUITE, in BUILD/module-deb/SUITE; module-deb-test installs it beside it, and
# beside another version.
.PHONY: module-deb module-deb-test
module-deb:
	$(Q)for suite in $(SUITE); do SOURCE_DATE_EPOCH=$(EPOCH) sh packaging/module.sh $$suite $(BUILD)/module-deb/$$suite || exit 1; done
module-deb-test: setup-packages deb module-deb
	$(Q)PACKAGE_ROOT="$(PACKAGE_ROOT)" sh packaging/module_test.sh $(BUILD)/deb $(BUILD)/module-deb $(SUITE)

# Debian's own source package of Kamailio with one patch, by which its core is linked with the library, in
# BUILD/kamailio-deb: SUITE=bookworm or trixie. kamailio-deb-test installs what it made.
kamailio-deb: setup-packages deb
	$(Q)BUILD=$(BUILD) PACKAGE_ROOT="$(PACKAGE_ROOT)" SOURCE_DATE_EPOCH=$(EPOCH) \
		sh packaging/kamailio_deb.sh $(SUITE) $(BUILD)/deb $(BUILD)/kamailio-deb/$(SUITE)

kamailio-deb-test: setup-packages
	$(Q)PACKAGE_ROOT="$(PACKAGE_ROOT)" sh packaging/kamailio_deb_test.sh $(SUITE) $(BUILD)/deb $(BUILD)/kamailio-deb/$(SUITE)

# The sources with all crates, in BUILD: built offline with `make` in the unpacked folder.
dist: ready
	$(Q)CARGO="$(CARGO)" SOURCE_DATE_EPOCH=$(EPOCH) sh packaging/dist.sh $(BUILD) kamailio-dns-$(VERSION)

# Packages of RPM from the same sources; rpm-test looks at them, compares them with those of Debian, and follows APKBUILD as
# far as it goes on Debian. With KAMAILIO_SRC the module dns_wait is packed for that Kamailio, too.
rpm: setup-packages dist
	$(Q)SOURCE_DATE_EPOCH=$(EPOCH) KAMAILIO_SRC="$(KAMAILIO_SRC)" \
		sh packaging/rpm.sh $(BUILD)/kamailio-dns-$(VERSION).tar.xz $(BUILD)/rpm

rpm-test: KAMAILIO_SRC ?= bookworm
rpm-test: setup-packages deb rpm
	$(Q)BUILD=$(BUILD) SOURCE_DATE_EPOCH=$(EPOCH) KAMAILIO_SRC="$(KAMAILIO_SRC)" sh packaging/rpm_test.sh $(BUILD)/kamailio-dns-$(VERSION).tar.xz $(BUILD)/rpm

# The options in README and the man pages, and the licences of all crates.
man:
	UPDATE_MAN=1 $(CARGO) test $(CARGOFLAGS) --quiet --test man --test man_client

drawing:
	UPDATE_DRAWING=1 $(CARGO) test $(CARGOFLAGS) --quiet --test layering

notices:
	CARGO="$(CARGO)" python3 packaging/notices.py

# --- showing it

# Needs cargo, cc and make, installs nothing.
run: CARGO_QUIET = $(if $(filter 0,$(V)),--quiet)
run: lib
	$(Q)BUILD=$(BUILD) DEMO="$(DEMO)" URI="$(URI)" CC="$(CC)" sh examples/run.sh

# Kamailio with the library in place of its own DNS files: Debian's source package of SUITE (bookworm or
# trixie), or the tree KAMAILIO_SRC. KAMAILIO_MODULES=none leaves out the modules, for those of Debian's packages.
# docs/drop-in.md has the steps by hand.
SUITE ?= bookworm
kamailio: try-setup lib
	$(Q)BUILD=$(BUILD) sh kamailio/build.sh "$(or $(KAMAILIO_SRC),$(SUITE))" $(BUILD)
	$(Q)$(if $(filter none,$(KAMAILIO_MODULES)),echo "no modules were built: it was not started",\
		BUILD=$(BUILD) CHECKS=lookup sh kamailio/check.sh "$(or $(KAMAILIO_SRC),$(SUITE))")
	$(Q)sh kamailio/next_steps.sh "$(or $(KAMAILIO_SRC),$(SUITE))" $(BUILD)

# The commands of docs/drop-in.md as they stand there, on Debian's sources: SUITE="bookworm trixie". Needs root.
.PHONY: drop-in
drop-in: try-setup lib
	$(Q)BUILD=$(BUILD) CHECKS=by_hand sh kamailio/check.sh $(SUITE)

# The library inside a Kamailio that was not linked with it: docs/takeover.md. A package of its own, built only here.
.PHONY: takeover check-takeover e2e-takeover
TAKEOVER := $(CARGO) build --release $(CARGOFLAGS) --manifest-path takeover/Cargo.toml
takeover: ready
	$(Q)CARGO_TARGET_DIR=$(RELEASE)/../takeover $(TAKEOVER)
	$(Q)mkdir -p $(BUILD)
	$(Q)for file in libkamailio_dns_takeover.so kamailio-dns-check; do \
		sh ci/place.sh $(RELEASE)/../takeover$(CARGO_BUILD_TARGET:%=/%)/release/$$file $(BUILD)/$$file 755 || exit 1; done

# Its refusals and its proof, on a small program that stands for Kamailio.
check-takeover: ready
	$(Q)CARGO="$(CARGO)" CARGOFLAGS="$(CARGOFLAGS)" sh takeover/check.sh

# Calls through Debian's own binaries: TAKEOVER_SUITES="bookworm trixie forky"
TAKEOVER_SUITES ?= bookworm forky
e2e-takeover: try-setup lib takeover
	$(Q)BUILD=$(BUILD) sh takeover/e2e.sh $(TAKEOVER_SUITES)

# The same for arm64, in an emulator: the refusals, calls through forky's Kamailio, and that earlier ones are left alone.
# Needs what `make platforms` does.
.PHONY: takeover-arm64
ARM64 := CARGO_BUILD_TARGET=aarch64-unknown-linux-gnu BUILD=$(BUILD)/aarch64
ARM64_MATCH ?= flow: NAPTR, SRV, A|flow: first target refuses
takeover-arm64: export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER ?= aarch64-linux-gnu-gcc
takeover-arm64: try-setup
	$(Q)$(MAKE) --no-print-directory $(ARM64) lib takeover
	$(Q)CARGO="$(CARGO)" CARGOFLAGS="$(CARGOFLAGS)" BUILD=$(BUILD)/aarch64 MACHINE=arm64 sh takeover/check.sh
	$(Q)BUILD=$(BUILD)/aarch64 MACHINE=arm64 sh takeover/e2e.sh bookworm trixie forky -- --match "$(ARM64_MATCH)"

# --- checking it

# Packages, after saying which. SETUP=no: none are installed, by no target.
setup:
	$(Q)SETUP="$(SETUP)" sh ci/setup.sh

# The same where it can be done; else it says what will be missing.
try-setup:
	$(Q)SETUP="$(SETUP)" sh ci/setup.sh --try

# What making and testing packages needs.
.PHONY: setup-packages
setup-packages:
	$(Q)SETUP="$(SETUP)" sh ci/setup.sh --try c sources kamailio bookworm calls packages

# All that comes from the network, once: packages, crates, sources of Kamailio, scenarios of others.
fetch: try-setup
	$(Q)CARGO="$(CARGO)" sh ci/fetch/all.sh

# The cargo features that the flags select, for scripts.
features:
	@echo '$(FEATURES)'

# The files that run, in a package of their own, so that little more than loom is built. LOOM_MAX_PREEMPTIONS=3 has
# more interleavings tried.
loom: ready
	RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom \
		$(CARGO) test $(CARGOFLAGS) --manifest-path ci/loom/Cargo.toml --release --lib

# The same models under Miri, each with SEEDS seeds from FIRST on; MODELS is a part of their names. Needs rustup's nightly
# toolchain with miri and rust-src; not part of CI.
.PHONY: miri mutants
miri:
	$(Q)SEEDS="$(SEEDS)" FIRST="$(FIRST)" MODELS="$(MODELS)" CARGOFLAGS="$(CARGOFLAGS)" sh ci/miri.sh

# Changes the code in one place after the other, and lists those that no test notices: FILES. Needs cargo-mutants, and
# hours; not part of CI.
mutants:
	$(Q)sh ci/mutants.sh $(FILES)

# Cache and shared memory under ThreadSanitizer, threads in place of processes. The option is not a stable one of
# the compiler, and the standard library is not instrumented (ci/tsan.supp); not part of CI.
tsan:
	RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer" \
		TSAN_OPTIONS="suppressions=$(CURDIR)/ci/tsan.supp halt_on_error=1" CARGO_TARGET_DIR=target/tsan \
		$(CARGO) test $(CARGOFLAGS) --target $(shell rustc -vV | sed -n 's/^host: //p') --lib -- cache:: shm:: --test-threads=1

# The cache under everything at once: SECONDS=600. PROCESSES=50 has each role five times; KILLS=5000: until so many processes
# were killed and stopped, KILLS=0: nobody is killed. The report goes to docs/soak.md, or with PROCESSES to docs/soak-50.md.
soak:
	$(Q)mkdir -p docs
	SOAK_SECONDS=$(SECONDS) SOAK_PROCESSES=$(PROCESSES) SOAK_KILLS=$(KILLS) \
		SOAK_RECORD=$(CURDIR)/docs/soak$(PROCESSES:%=-%).md $(CARGO) test $(CARGOFLAGS) --release \
		--features fault_injection --test soak -- --nocapture

test: try-setup lib
	$(Q)CARGO="$(CARGO)" CARGOFLAGS="$(CARGOFLAGS)" FEATURES="$(FEATURES)" BUILD=$(BUILD) \
		CC="$(CC)" CXX="$(CXX)" sh ci/test.sh

# What depends on the machine or the libc, for PLATFORMS: what is missing for that is counted as skipped.
PLATFORMS ?= aarch64 musl
.PHONY: platforms platforms-all layouts-of-machines
platforms: ready
	$(Q)SETUP="$(SETUP)" sh ci/setup.sh --try c $(PLATFORMS)
	$(Q)CARGO="$(CARGO)" CARGOFLAGS="$(CARGOFLAGS)" BUILD=$(BUILD) sh ci/platforms.sh $(PLATFORMS)

# All Rust tests on another machine, in the emulator, but those that cannot work there: PLATFORMS, by default aarch64. And a
# short soak. Takes half an hour; not part of CI.
platforms-all: PLATFORMS = aarch64
platforms-all: ready
	$(Q)SETUP="$(SETUP)" sh ci/setup.sh --try c $(PLATFORMS)
	$(Q)CARGO="$(CARGO)" CARGOFLAGS="$(CARGOFLAGS)" BUILD=$(BUILD) sh ci/platforms.sh --all $(PLATFORMS)

# The layouts for machines that nothing is run on: the compiler asserts them. It needs rustup, and no C compiler.
layouts-of-machines: ready
	$(Q)SETUP="$(SETUP)" CARGO="$(CARGO)" CARGOFLAGS="$(CARGOFLAGS)" sh ci/machines.sh $(MACHINES)

# What make test leaves out for want of time: each flag alone, each row of the flag table on both versions, and all modules.
.PHONY: flag-rows
flag-rows: try-setup lib
	$(Q)ALL_ROWS=1 sh ci/flags.sh
	$(Q)ALL_ROWS=1 CHECKS="modules headers flags" BUILD=$(BUILD) sh kamailio/check.sh bookworm trixie

check-c: lib
	$(Q)BUILD=$(BUILD) CC="$(CC)" CXX="$(CXX)" sh c_tests/run.sh

# Kamailio's own three files and this library, side by side, case by case.
.PHONY: twin
twin: try-setup lib
	$(Q)BUILD=$(BUILD) sh c_tests/twin/run.sh

valgrind: try-setup lib
	$(Q)BUILD=$(BUILD) CC="$(CC)" CXX="$(CXX)" \
		VALGRIND="valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite" \
		sh c_tests/run.sh

# The C side and every block that it gets from the library; run.sh proves that the sanitizer is in.
asan: lib
	$(Q)BUILD=$(BUILD) CC="$(CC)" CXX="$(CXX)" \
		SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=all" sh c_tests/run.sh

# The same with the library's Rust under the sanitizer, too, in BUILD/asan: 1,000 requests that are ended at random, a fork in
# the midst of it, and all other C programs. It needs Rust's nightly toolchain. The archive is left out: who links it does not bring the sanitizer.
.PHONY: asan-rust
SANITIZED = $(RELEASE)/../asan/$(shell rustc -vV | sed -n 's/^host: //p')/debug
asan-rust: lib
	RUSTFLAGS="-Zsanitizer=address -Cforce-frame-pointers=yes" CARGO_TARGET_DIR=$(RELEASE)/../asan \
		$(CARGO) +nightly build $(CARGOFLAGS) --lib --target $(shell rustc -vV | sed -n 's/^host: //p')
	$(Q)nm -D $(SANITIZED)/libkamailio_dns.so | grep -q __asan_report
	$(Q)rm -rf $(BUILD)/asan && mkdir -p $(BUILD)/asan && cp -r $(BUILD)/include $(SANITIZED)/libkamailio_dns.so $(BUILD)/asan/
	$(Q)ln -s libkamailio_dns.so $(BUILD)/asan/libkamailio_dns.so.0
	$(Q)BUILD=$(BUILD)/asan CC="$(CC)" CXX="$(CXX)" SANITIZE=-fsanitize=address sh c_tests/run.sh

# SIP zones through the forwarding nameservers of Debian, with and without cookies, letter case, EDNS, TCP, and with odd
# policies of theirs. `make test` has the short form.
.PHONY: forwarders
forwarders: lib
	$(Q)sh forwarders/fetch.sh >/dev/null
	$(Q)BUILD=$(BUILD) CC="$(CC)" sh forwarders/run.sh

# Two proxies and two unbound of trixie that share a Valkey, one of each killed: SUITE="bookworm trixie". `make test` has it
# where `make fetch` was run.
.PHONY: cluster
cluster: try-setup lib
	$(Q)BUILD=$(BUILD) sh kamailio/cluster/run.sh $(SUITE)

# Real Kamailio on the library, with name servers and sipp: SUITE="bookworm trixie"
SUITE ?= bookworm
e2e: try-setup lib
	$(Q)BUILD=$(BUILD) sh kamailio/e2e/run.sh $(SUITE)

# The module dns_wait for each version of Kamailio, in $(BUILD)/module, and its scenarios; dns-wait-crowd: crowds of requests
# to silent names, whose figures are in $(BUILD)/dns_wait; dns-wait-calls: sipp's scenarios with 200 calls each;
# dns-wait-changes: a watched URI changes 100 times; dns-wait-takeover: the scenarios in Debian's own Kamailio, taken over.
.PHONY: dns-wait dns-wait-crowd dns-wait-calls dns-wait-changes dns-wait-takeover
dns-wait: try-setup lib
	$(Q)BUILD=$(BUILD) sh kamailio/dns_wait/run.sh $(SUITE)
dns-wait-crowd: try-setup lib
	$(Q)LONG=1 BUILD=$(BUILD) sh kamailio/dns_wait/run.sh $(SUITE)
dns-wait-calls: try-setup lib
	$(Q)DNS_WAIT_CALLS=200 BUILD=$(BUILD) sh kamailio/dns_wait/run.sh $(SUITE) -- --jobs 1 --match "calls "
dns-wait-takeover: try-setup lib takeover
	$(Q)TAKEOVER=1 BUILD=$(BUILD) sh kamailio/dns_wait/run.sh $(SUITE) -- --match "a call waits|whole call|kept|cache is|calls |own DNS|worker|server ends|watched"
dns-wait-changes: try-setup lib
	$(Q)DNS_WAIT_CHANGES=100 BUILD=$(BUILD) sh kamailio/dns_wait/run.sh $(SUITE) -- --match "changes of"

# Everything about the layouts of handles: refusals, both build systems, the archive, and all calls through a core
# and modules whose handle is that of 6.1.5. CI has most of it.
.PHONY: layouts
layouts: try-setup lib
	$(CARGO) test $(CARGOFLAGS) --test handle_layouts --test select_quick
	$(Q)BUILD=$(BUILD) WHOLE=1 CHECKS=layout sh kamailio/check.sh trixie
	$(Q)BUILD=$(BUILD) CHECKS=layout sh kamailio/check.sh bookworm
	$(Q)BUILD=$(BUILD) CHECKS="lookup options lifecycle modules" sh kamailio/check.sh trixie-handle48
	$(Q)BUILD=$(BUILD) sh kamailio/e2e/run.sh trixie-handle48
	$(Q)BUILD=$(BUILD) SECONDS_=$(SECONDS) VALGRIND_SECONDS=$(VALGRIND_SECONDS) sh kamailio/soak/run.sh trixie-handle48

# The same under load while everything changes: SECONDS=60, VALGRIND_SECONDS=20 under valgrind
SECONDS ?= 60
VALGRIND_SECONDS ?= 20
soak-kamailio: try-setup lib
	$(Q)BUILD=$(BUILD) SECONDS_=$(SECONDS) VALGRIND_SECONDS=$(VALGRIND_SECONDS) sh kamailio/soak/run.sh $(SUITE)

# The proof that each end-to-end scenario can fail.
e2e-selftest: try-setup lib
	$(Q)BUILD=$(BUILD) sh kamailio/e2e/run.sh $(SUITE) -- --selftest

# Behaviour under failure, the C original beside the library: short, or in full with the document.
OUTAGE ?= 300
failures: try-setup lib
	$(Q)BUILD=$(BUILD) sh kamailio/failures/run.sh $(SUITE)

# Wherever the original's call arrives, ours arrives: a table of networks with faults, and COUNT drawn by SEED.
# `make test` has the short form.
SEED ?= 1
COUNT ?= 20
.PHONY: networks
networks: try-setup lib
	$(Q)BUILD=$(BUILD) sh kamailio/networks/run.sh bookworm -- --seed $(SEED) --count $(COUNT)

failure-table: try-setup lib
	$(Q)BUILD=$(BUILD) sh kamailio/failures/run.sh bookworm trixie -- --full --outage $(OUTAGE) \
		--table docs/behaviour-under-failure.md

# Speed, the C original beside the library, in turn: the whole table with the document, or a look at it.
# How long an event loop is away for DNS; beside c-ares and libunbound where their headers are installed.
.PHONY: bench-client
bench-client: lib
	$(Q)BUILD=$(BUILD) CC="$(CC)" sh examples/client/bench.sh

bench-kamailio: try-setup lib
	$(Q)BUILD=$(BUILD) sh kamailio/bench/run.sh --out docs

bench-kamailio-quick: try-setup lib
	$(Q)BUILD=$(BUILD) sh kamailio/bench/run.sh --quick

lint: ready
	$(CARGO) fmt --check
	$(CARGO) clippy $(CARGOFLAGS) --all-targets -- -D warnings
	$(CARGO) clippy $(CARGOFLAGS) --lib -- -D warnings
	$(CARGO) test $(CARGOFLAGS) --no-default-features --features "$(FEATURES) fault_injection" --quiet --test header --test layering
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(CARGOFLAGS) --no-deps --document-private-items
	$(Q)sh ci/lint.sh

# All crates against deny.toml; then what Cargo.toml promises: the oldest Rust, and the lowest versions of crates.
.PHONY: deny msrv lowest
deny: ready
	$(Q)CARGO="$(CARGO)" sh ci/deny.sh

msrv: ready
	$(Q)CARGO="$(CARGO)" sh ci/versions.sh rust

lowest: ready
	$(Q)CARGO="$(CARGO)" sh ci/versions.sh crates

# Which lines the Rust tests run; fails when cache, lookup, resolver or select are not above nine tenths. Takes llvm-cov of
# the LLVM that rustc was built with.
.PHONY: coverage
coverage: ready
	$(Q)CARGO="$(CARGO)" CARGOFLAGS="$(CARGOFLAGS)" COVERAGE="$(BUILD)/coverage" sh ci/coverage.sh

# An option, an RPC and a record type added to a copy, by CONTRIBUTING's recipes: how many places that takes.
.PHONY: recipes
recipes: ready
	$(Q)CARGO="$(CARGO)" sh ci/recipes.sh

header:
	UPDATE_HEADER=1 $(CARGO) test $(CARGOFLAGS) --quiet --test header

clean:
	$(CARGO) clean
	rm -rf $(BUILD)

help:
	@echo 'all        shared object, static archive, headers, pkg-config file into $(BUILD)/'
	@echo 'install    into PREFIX ($(PREFIX)); also DESTDIR, LIBDIR, INCLUDEDIR'
	@echo 'uninstall  the reverse'
	@echo 'run        shows the library at work; DEMO=full for the long tour, URI=sip:example.org for a URI of yours'
	@echo 'fetch      gets everything from the network, once: packages, crates, sources and scenarios of others'
	@echo 'kamailio   Kamailio with the library; SUITE=bookworm (5.6.3) or trixie (6.0.1), or KAMAILIO_SRC=dir'
	@echo 'drop-in    docs/drop-in.md followed word by word; SUITE'
	@echo 'takeover   the library for a Kamailio as it is shipped, see docs/takeover.md; check-takeover, e2e-takeover, takeover-arm64: its tests'
	@echo 'deb        packages of Debian in $(BUILD)/deb; package-test: installs them into a Debian of bookworm and of trixie'
	@echo "module-deb the module dns_wait for Debian's Kamailio of SUITE; module-deb-test: apt installs it for that one alone"
	@echo "kamailio-deb  Debian's packages of Kamailio, linked with the library; SUITE; kamailio-deb-test installs them"
	@echo 'rpm        packages of RPM in $(BUILD)/rpm; rpm-test: what can be checked of them, and of APKBUILD, on Debian'
	@echo 'dist       the sources with all crates, to be built offline'
	@echo 'test       all tests, Rust, C and Kamailio; SETUP=no installs nothing and runs what can be run'
	@echo 'loom       the lock-free protocol in a model, and every seeded mistake caught'
	@echo 'miri       the models of loom under Miri; SEEDS=64, FIRST=0, MODELS=loom_; mutants: what no test notices, FILES'
	@echo 'tsan       cache and shared memory under ThreadSanitizer'
	@echo 'soak       the cache under everything at once for SECONDS=600; writes docs/soak.md; PROCESSES=50 KILLS=5000: soak-50.md'
	@echo 'forwarders SIP zones through unbound, dnsmasq, BIND and four more, run as ordinary processes'
	@echo 'cluster    two proxies and two unbound that share a Valkey, one of each killed; SUITE="bookworm trixie"'
	@echo 'flag-rows  each compile flag alone, every row of the flag table on both versions, and all modules'
	@echo 'platforms  all C tests and a short form of the Rust tests for aarch64, under qemu-user, and for musl; PLATFORMS=musl'
	@echo 'platforms-all  all Rust tests for aarch64, under qemu-user; layouts-of-machines: MACHINES="i686 ..." checked, not run'
	@echo 'check-c    the C tests; valgrind, asan: the same under those; asan-rust: the Rust code under AddressSanitizer, too'
	@echo 'twin       ours and the C original side by side, see c_tests/twin/README.md'
	@echo 'e2e        calls through real Kamailio; SUITE="bookworm trixie"'
	@echo 'dns-wait   the module dns_wait and its scenarios; dns-wait-crowd: requests to silent names by the thousand;'
	@echo '           dns-wait-calls: many calls by sipp; dns-wait-changes: 100 changes of a watched URI;'
	@echo "           dns-wait-takeover: in Debian's own Kamailio, taken over"
	@echo 'layouts    the layouts of handles: refusals, build systems, calls through a Kamailio with that of 6.1.5'
	@echo 'bench-client    how long an event loop is away for DNS, beside c-ares and libunbound'
	@echo 'bench-kamailio  speed beside the C original, writes docs/performance.md; bench-kamailio-quick: a look'
	@echo 'failures   how Kamailio behaves when DNS fails, in short; failure-table: in full, OUTAGE=300 s,'
	@echo '           writes docs/behaviour-under-failure.md'
	@echo 'networks   calls on networks with faults, the original beside the library; SEED=1, COUNT=20'
	@echo 'soak-kamailio  Kamailio under load while everything changes; SECONDS, VALGRIND_SECONDS'
	@echo 'lint       formatting, clippy, header, layers, documentation, scripts, Python, spelling'
	@echo 'deny       all crates: licences, doubles, sources, known defects'
	@echo 'msrv       the oldest Rust that Cargo.toml promises; lowest: the lowest versions of crates'
	@echo 'header     refreshes include/kamailio_dns.h; man: the options in README and docs/man; notices: NOTICES;'
	@echo '           drawing: the layers in ARCHITECTURE.md'
	@echo 'coverage   which lines the Rust tests run; those that none runs: $(BUILD)/coverage/uncovered.txt'
	@echo 'recipes    adds an option, an RPC and a record type to a copy, and counts the places'
	@echo 'clean      removes what was built, and what was fetched'
	@echo 'flags      make extra_defs="-DUSE_DNS_CACHE_STATS", make DEFS_RM="-DUSE_NAPTR",'
	@echo '           or edit Makefile.defs'
