"""The test bed: a private network, name servers, SIP endpoints, a Kamailio, and what was seen on the wire."""
