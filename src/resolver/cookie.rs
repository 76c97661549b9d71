//! DNS cookies (RFC 7873, RFC 9018), the client's side.
//!
//! A client cookie is eight random octets for one server, known to all processes and drawn anew every
//! day. A server cookie is opaque and goes back to the server as it came.

use std::sync::atomic::{AtomicU64, Ordering};

use super::wire::Reader;
use crate::host::random;
use crate::host::shared::shared_struct;

/// Number of the EDNS option.
pub(super) const OPTION_CODE: u16 = 10;
const CLIENT_OCTETS: usize = 8;
const MIN_SERVER_OCTETS: usize = 8;
const MAX_SERVER_OCTETS: usize = 32;
/// How long a client cookie is used, ms (RFC 7873 section 7.1 allows 36 days).
const CLIENT_LIFE_MS: u64 = 86_400_000;

/// A client cookie and, if there is one, the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cookie {
    client: [u8; CLIENT_OCTETS],
    server: [u8; MAX_SERVER_OCTETS],
    server_length: usize,
}

impl Cookie {
    /// Reads the data of a COOKIE option of a reply; `None` if it has no legal length (RFC 7873 section
    /// 5.3), be it that a server cookie is missing.
    pub(super) fn of_reply(mut data: Reader<'_>) -> Option<Self> {
        let client = data.array()?;
        let mut server = [0; MAX_SERVER_OCTETS];
        let mut server_length = 0;
        while !data.is_at_end() {
            *server.get_mut(server_length)? = data.u8()?;
            server_length += 1;
        }
        (server_length >= MIN_SERVER_OCTETS).then_some(Self {
            client,
            server,
            server_length,
        })
    }

    /// Appends the option to the data of an OPT record.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let server = self.server();
        out.extend(OPTION_CODE.to_be_bytes());
        out.extend([0, (CLIENT_OCTETS + server.len()) as u8]);
        out.extend(self.client);
        out.extend(server);
    }

    /// Octets that [`write`](Self::write) appends.
    pub(super) fn option_octets(&self) -> usize {
        4 + CLIENT_OCTETS + self.server_length
    }

    /// The server's part; empty if there is none.
    pub(super) fn server(&self) -> &[u8] {
        self.server.get(..self.server_length).unwrap_or_default()
    }

    /// True when both have the same client's part.
    pub(super) fn is_for(&self, sent: &Self) -> bool {
        self.client == sent.client
    }
}

shared_struct! {
    /// The cookies of one server, in shared memory. Torn writes are seen and taken for no cookie.
    pub(super) struct CookieCell {
        /// 0 = none drawn yet.
        client: AtomicU64,
        client_until_ms: AtomicU64,
        server: [AtomicU64; MAX_SERVER_OCTETS / 8],
        /// Length of the server cookie in the low octet, check sum over everything above; 0 = none.
        server_check: AtomicU64,
    }
}

impl CookieCell {
    /// The cookie to send.
    pub(super) fn get(&self, now_ms: u64) -> Cookie {
        self.with_client(self.client(now_ms))
    }

    /// True when a server cookie is known.
    #[cfg(feature = "testing")]
    pub(super) fn has_server(&self) -> bool {
        let client = self.client.load(Ordering::Relaxed);
        !self.with_client(client).server().is_empty()
    }

    fn with_client(&self, client: u64) -> Cookie {
        let words: [u64; MAX_SERVER_OCTETS / 8] =
            std::array::from_fn(|i| self.server.get(i).map_or(0, |w| w.load(Ordering::Relaxed)));
        let check = self.server_check.load(Ordering::Relaxed);
        let length = (check & 0xFF) as usize;
        let whole = length <= MAX_SERVER_OCTETS && check == check_of(client, &words, length);
        let mut cookie = Cookie {
            client: client.to_ne_bytes(),
            server: [0; MAX_SERVER_OCTETS],
            server_length: 0,
        };
        if whole {
            cookie.server_length = length;
            for (octets, word) in cookie.server.chunks_exact_mut(8).zip(words) {
                octets.copy_from_slice(&word.to_ne_bytes());
            }
        }
        cookie
    }

    fn client(&self, now_ms: u64) -> u64 {
        let known = self.client.load(Ordering::Relaxed);
        if known != 0 && self.client_until_ms.load(Ordering::Relaxed) > now_ms {
            return known;
        }
        let fresh = random::secure_u64().max(1);
        let until_ms = now_ms.saturating_add(CLIENT_LIFE_MS);
        self.client_until_ms.store(until_ms, Ordering::Relaxed);
        match self
            .client
            .compare_exchange(known, fresh, Ordering::Relaxed, Ordering::Relaxed)
        {
            Ok(_) => fresh,
            Err(another) => another,
        }
    }

    /// Remembers the server's part of a cookie that came back.
    pub(super) fn set(&self, cookie: &Cookie) {
        let mut words = [0; MAX_SERVER_OCTETS / 8];
        for (word, octets) in words.iter_mut().zip(cookie.server.chunks_exact(8)) {
            *word = u64::from_ne_bytes(octets.try_into().unwrap_or_default());
        }
        for (cell, word) in self.server.iter().zip(words) {
            cell.store(word, Ordering::Relaxed);
        }
        let client = u64::from_ne_bytes(cookie.client);
        let check = check_of(client, &words, cookie.server_length);
        self.server_check.store(check, Ordering::Relaxed);
    }

    /// Forgets the server's part.
    pub(super) fn forget_server(&self) {
        self.server_check.store(0, Ordering::Relaxed);
    }

    /// Forgets both.
    pub(super) fn forget(&self) {
        self.forget_server();
        self.client.store(0, Ordering::Relaxed);
    }
}

fn check_of(client: u64, words: &[u64], length: usize) -> u64 {
    let mix = |sum: u64, word: &u64| random::split_mix(&mut (sum ^ word));
    words.iter().fold(client ^ 1, mix) & !0xFF | length as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::shared;

    fn reply(octets: &[u8]) -> Option<Cookie> {
        Cookie::of_reply(Reader::new(octets, 0))
    }

    #[test]
    fn lengths() {
        for length in 0..=50_u8 {
            let octets: Vec<u8> = (0..length).collect();
            let legal = (16..=40).contains(&length);
            assert_eq!(reply(&octets).is_some(), legal, "{length}");
        }
        let cookie = reply(&[7; 24]).unwrap();
        let mut out = Vec::new();
        cookie.write(&mut out);
        assert_eq!(out.len(), cookie.option_octets());
        assert_eq!(out[..4], [0, 10, 0, 24]);
        assert_eq!(out[4..], [7; 24]);
    }

    #[test]
    fn a_server_cookie_is_kept_for_the_client_cookie_it_came_with() {
        let cell: &CookieCell = shared::map();
        let first = cell.get(5);
        assert!(first.server().is_empty());
        assert_eq!(cell.get(CLIENT_LIFE_MS - 1), first);
        let mut octets = first.client.to_vec();
        octets.extend(0..20);
        let answered = reply(&octets).unwrap();
        assert!(answered.is_for(&first));
        cell.set(&answered);
        assert_eq!(cell.get(6), answered);
        // A word of another server cookie: somebody is in the middle of writing one.
        cell.server[1].store(9, Ordering::Relaxed);
        assert_eq!(cell.get(7), first);
        cell.set(&answered);
        // The next day.
        let second = cell.get(CLIENT_LIFE_MS + 5);
        assert!(!second.is_for(&first));
        assert!(second.server().is_empty());
        cell.forget();
        assert!(!cell.get(CLIENT_LIFE_MS + 6).is_for(&second));
    }
}
