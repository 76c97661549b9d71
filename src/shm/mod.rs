//! Memory shared by forked processes: arena, links, robust lock. Knows nothing of DNS.
