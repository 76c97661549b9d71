/* A nameserver for tests whose lookups wait for answers. */

#ifndef NAMESERVER_H
#define NAMESERVER_H

#include <signal.h>
#include <sys/prctl.h>

#include "check.h"

/* A nameserver in a process of its own; it ends with the test. Names that begin with an "a" have an address. Those with
 * an "s" are not answered, those with an "r" are refused, those with an "n" or "_" do not exist; others have no records.
 */
static void serve(int server)
{
	unsigned char packet[600];
	struct sockaddr_in from;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(300);
	for(;;) {
		socklen_t size = sizeof from;
		ssize_t length = recvfrom(server, packet, sizeof packet - 32, 0, (struct sockaddr *)&from, &size);
		if(length < 17)
			continue;
		size_t end = 12;
		while(end < (size_t)length && packet[end])
			end += packet[end] + 1U;
		end += 5;
		char kind = (char)packet[13];
		if(kind == 's')
			continue;
		packet[2] |= 0x84;
		packet[3] = (unsigned char)(kind == 'n' || kind == '_' ? 0x83 : kind == 'r' ? 0x85 : 0x80);
		memset(packet + 6, 0, 6);
		if(kind == 'a' && packet[end - 3] == 1) {
			static const unsigned char answer[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4, 192, 0, 2, 1};
			packet[7] = 1;
			memcpy(packet + end, answer, sizeof answer);
			end += sizeof answer;
		}
		sendto(server, packet, end, 0, (struct sockaddr *)&from, size);
	}
}

static char server_text[64];

static pid_t start_server(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof address;
	int room = 1 << 20;
	int server = socket(AF_INET, SOCK_DGRAM, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(server, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	CHECK_INT(bind(server, (struct sockaddr *)&address, sizeof address), 0);
	getsockname(server, (struct sockaddr *)&address, &size);
	pid_t process = fork();
	if(process == 0)
		serve(server);
	close(server);
	snprintf(server_text, sizeof server_text, "127.0.0.1:%d", ntohs(address.sin_port));
	CHECK_INT(dns_option_set("dns_nameservers", server_text), 0);
	CHECK_INT(dns_option_set("dns_use_search_list", "no"), 0);
	return process;
}

#endif
