# Kamailio built with its Makefiles, without a change of its tree: the library in place of three files of the core.
#
#   make -C kamailio/src -f /path/library.mk -f Makefile \
#        KAMAILIO_DNS_LIBRARY=/path/libkamailio_dns.so kamailio
#
# Only for the core: modules are built without it. The library may be the static archive, which is linked whole.

kamailio_dns_folder := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))

ifeq ($(wildcard $(KAMAILIO_DNS_LIBRARY)),)
$(error KAMAILIO_DNS_LIBRARY names no file: '$(KAMAILIO_DNS_LIBRARY)')
endif

kamailio_dns_archive := $(filter %.a,$(KAMAILIO_DNS_LIBRARY))

override objs = $(filter-out core/resolve.o core/dns_cache.o core/dns_func.o,$(sources:.c=.o)) kamailio_dns_layout.o \
	$(if $(kamailio_dns_archive),kamailio_dns_whole.o)
override extra_objs = $(if $(kamailio_dns_archive),,$(abspath $(KAMAILIO_DNS_LIBRARY)))

# Sizes and offsets of this tree, with this tree's flags.
kamailio_dns_layout.o: $(kamailio_dns_folder)kamailio_dns_layout.c $(wildcard config.mak core/*.h core/cfg/*.h)
	$(CC) $(CFLAGS) $(C_INCLUDES) $(INCLUDES) $(C_DEFS) $(DEFS) -Icore -c $< -o $@

# Of an archive the linker takes what the core needs; modules need more.
kamailio_dns_whole.o: $(KAMAILIO_DNS_LIBRARY)
	$(CC) -r -nostdlib -o $@ -Wl,--whole-archive $< -Wl,--no-whole-archive

# The goals are those of Kamailio's own Makefile.
.DEFAULT_GOAL :=
