//! Addresses that show whether an entry was read whole.

use std::net::Ipv4Addr;

/// The addresses of one entry: neighbours that no other value has, so that a torn reading shows.
pub fn address(value: u32, index: u32) -> Ipv4Addr {
    Ipv4Addr::from(value << 4 | index)
}

/// True for addresses of one entry, all up to the last that is given.
pub fn is_whole(addresses: impl Iterator<Item = Ipv4Addr>) -> bool {
    let numbers: Vec<u32> = addresses.map(u32::from).collect();
    let first = numbers.first().copied().unwrap_or(0);
    first.is_multiple_of(16)
        && (first..)
            .zip(&numbers)
            .all(|(wanted, number)| wanted == *number)
}
