/* Options by name. */

#include "check.h"

static void refuses(const char *name, const char *value)
{
	char before[600], after[600];
	int known = dns_option_get(name, before, sizeof before);
	int rc = dns_option_set(name, value);
	CHECK(rc < 0);
	CHECK(dns_option_strerror(rc)[0] != '\0');
	CHECK(strcmp(dns_option_strerror(rc), "no error") != 0);
	if(known >= 0) {
		dns_option_get(name, after, sizeof after);
		CHECK_TEXT(after, before);
	}
}

static void accepts(const char *name, const char *value, const char *stored)
{
	char buffer[600];
	CHECK_INT(dns_option_set(name, value), 0);
	CHECK_INT(dns_option_get(name, buffer, sizeof buffer), strlen(stored));
	CHECK_TEXT(buffer, stored);
}

int main(void)
{
	struct dns_option_info info;
	char buffer[600];
	unsigned int count = 0;

	watchdog(60);
	while(dns_option_describe(count, &info) == 0) {
		CHECK(info.name[0] != '\0' && info.help[0] != '\0');
		CHECK(dns_option_get(info.name, buffer, sizeof buffer) >= 0);
#ifndef USE_DNS_CACHE
		/* these two are variables that exist with the cache only */
		if(strcmp(info.name, "dns_cache_init") == 0
				|| strcmp(info.name, "dns_cache_gc_interval") == 0)
			info.default_value = 0;
#endif
		if(info.kind != 2) {
			CHECK(info.min_value <= info.default_value);
			CHECK(info.default_value <= info.max_value);
			CHECK_INT(atoll(buffer), info.default_value);
		}
		count++;
	}
	CHECK(count >= 26);
	CHECK(dns_option_describe(count, &info) < 0);
	CHECK(dns_option_describe(0, NULL) < 0);

	accepts("dns_try_naptr", "yes", "1");
	accepts("dns_try_naptr", "off", "0");
	accepts("dns_udp_pref", "-1", "-1");
	accepts("dns_udp_preference", "30", "30");
	accepts("dns_cache_mem", "1000", "1000");
	accepts("dns_cache_max_ttl", "4294967295", "4294967295");
	accepts("dns_nameservers", "127.0.0.1:5300 [::1]", "127.0.0.1:5300 [::1]");
	accepts("dns_nameservers", "", "");
	accepts("dns_downgrade", "never", "never");
	accepts("dns_downgrade", "always", "always");
	accepts("dns_downgrade", "on_absence", "on_absence");
	accepts("dns_sips_naptr", "yes", "1");
	accepts("dns_sips_naptr", "no", "0");
	accepts("dns_rotate", "yes", "1");
	accepts("dns_rotate", "no", "0");
	accepts("dns_transaction_seed", "no", "0");
	accepts("dns_family_order", "interleave", "interleave");
	accepts("dns_family_order", "as_flags", "as_flags");
	accepts("dns_reinit", "1", "0");

	refuses("no_such_option", "1");
	refuses("DNS_TRY_NAPTR", "1");
	refuses("dns_try_naptr", "2");
	refuses("dns_try_naptr", "");
	refuses("dns_try_naptr", "perhaps");
	refuses("dns_cache_rec_pref", "4");
	refuses("dns_cache_negative_ttl", "-1");
	refuses("dns_cache_negative_ttl", "99999999999999999999");
	refuses("dns_nameservers", "not-an-address");
	refuses("dns_downgrade", "sometimes");
	refuses("dns_downgrade", "1");
	refuses("dns_sips_naptr", "2");
	refuses("dns_rotate", "2");
	refuses("dns_family_order", "1");
	CHECK(dns_option_set(NULL, "1") < 0);
	CHECK(dns_option_set("dns_try_naptr", NULL) < 0);
	CHECK(dns_option_set("dns_try_naptr", "\xff") < 0);

#ifdef USE_DNS_CACHE
	/* failover needs the cache */
	accepts("use_dns_failover", "1", "1");
	refuses("use_dns_cache", "0");
	accepts("use_dns_failover", "0", "0");
	accepts("use_dns_cache", "0", "0");
	refuses("use_dns_failover", "1");
	accepts("use_dns_cache", "1", "1");
	dns_cache_init = 0;
	refuses("use_dns_cache", "1");
	dns_cache_init = 1;
#endif

	/* small buffers */
	strcpy(buffer, "untouched");
	CHECK(dns_option_get("dns_cache_mem", buffer, 4) < 0);
	CHECK_TEXT(buffer, "untouched");
	CHECK_INT(dns_option_get("dns_cache_mem", buffer, 5), 4);
	CHECK_TEXT(buffer, "1000");
	CHECK(dns_option_get("dns_cache_mem", NULL, 5) < 0);
	CHECK(dns_option_get(NULL, buffer, 5) < 0);

	CHECK(strchr(dns_version(), '.') != NULL);
	CHECK_TEXT(dns_option_strerror(0), "no error");
	CHECK_TEXT(dns_option_strerror(-1000), "internal error");
	return checks_result();
}
