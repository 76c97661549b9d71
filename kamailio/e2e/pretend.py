"""What a test machine may not have: transports, and a resolver module that answers for other names."""

import os
import struct
import subprocess

HOOK = r"""
/* A resolver in the place of libc's, as the module dnssec puts one: names without a dot are completed with a
 * domain that is not in the search list. */
#include <netdb.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>

struct functions {
	int (*init)(void);
	int (*search)(const char *, int, int, unsigned char *, int);
	struct hostent *(*host)(const char *);
	struct hostent *(*host2)(const char *, int);
};

int load_dnsfunc(struct functions *);

static int start(void)
{
	return res_init();
}

static int search(const char *name, int class, int type, unsigned char *answer, int size)
{
	char whole[512];

	if (strchr(name, '.') != NULL)
		return res_query(name, class, type, answer, size);
	snprintf(whole, sizeof(whole), "%s.DOMAIN", name);
	return res_query(whole, class, type, answer, size);
}

static struct functions ours = {start, search, gethostbyname, gethostbyname2};

__attribute__((constructor)) static void put_in_place(void)
{
	load_dnsfunc(&ours);
}
"""


def foreign_search(folder, domain):
    """Environment in which a server's queries go through a module that appends `domain` to short names."""
    source, library = os.path.join(folder, "hook.c"), os.path.join(folder, "hook.so")
    with open(source, "w") as file:
        file.write(HOOK.replace("DOMAIN", domain))
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-lresolv"], check=True)
    return {"LD_PRELOAD": library}


def _address(pid, program, symbol):
    out = subprocess.run(["nm", "-D", program], capture_output=True, text=True, check=True).stdout
    offset = next(int(line.split()[0], 16) for line in out.split("\n") if line.endswith(f" {symbol}"))
    with open(f"/proc/{pid}/maps") as maps:
        base = next(int(line.split("-")[0], 16) for line in maps if line.rstrip().endswith(program))
    with open(program, "rb") as file:
        position_independent = struct.unpack_from("<H", file.read(18), 16)[0] == 3
    return base + offset if position_independent else offset


def transport(server, symbol):
    """Makes a running server believe that a transport is there: writes 0 into its `tls_disable` or the like.

    Kernels without SCTP and servers without the TLS module cannot enable them in the file. Which services are
    asked for in DNS depends on that variable only.
    """
    program = os.path.realpath(server.build.server)
    for pid in server.pids():
        with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
            memory.seek(_address(pid, program, symbol))
            memory.write(struct.pack("i", 0))
