//! The octets of a snapshot's file, and how they are read: see [`super`].

pub(super) const MAGIC: &[u8; 8] = b"KDNSsnap";
/// A file of another version is not read.
pub(super) const VERSION: u32 = 1;
/// Before the message of a frame.
pub(super) const FRAME_OCTETS: usize = 2 + 8 + 4;
/// For a set that was never used.
pub(super) const UNUSED: u32 = u32::MAX;

/// FNV-1a: each octet changes it in a way that no later one can undo.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checksum(pub(super) u64);

impl Checksum {
    pub(super) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(super) fn add(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 = (self.0 ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// A record set of a file.
pub(in super::super) struct Frame<'a> {
    pub(in super::super) expires_s: u64,
    pub(super) idle_s: u32,
    pub(in super::super) message: &'a [u8],
}

impl Frame<'_> {
    /// For how many s it had not been used; `None` = never.
    pub(in super::super) fn idle(&self) -> Option<u32> {
        Some(self.idle_s).filter(|idle_s| *idle_s != UNUSED)
    }
}

/// The time at which a file was written, and its frames.
pub(super) fn frames(content: &[u8]) -> Result<(u64, Vec<Frame<'_>>), &'static str> {
    const SHORT: &str = "it is not whole";
    let mut rest = content;
    if take(&mut rest, MAGIC.len()).ok_or(SHORT)? != MAGIC {
        return Err("it is no snapshot");
    }
    if u32::from_be_bytes(array(&mut rest).ok_or(SHORT)?) != VERSION {
        return Err("it is of another version");
    }
    let body_octets = content.len().checked_sub(8).ok_or(SHORT)?;
    let (body, sum) = content.split_at(body_octets);
    let mut checksum = Checksum::new();
    checksum.add(body);
    if sum != checksum.0.to_be_bytes() {
        return Err("it is not whole, or was changed");
    }
    let saved_s = u64::from_be_bytes(array(&mut rest).ok_or(SHORT)?);
    let mut list = Vec::new();
    loop {
        let length = u16::from_be_bytes(array(&mut rest).ok_or(SHORT)?);
        if length == 0 {
            break;
        }
        list.push(Frame {
            expires_s: u64::from_be_bytes(array(&mut rest).ok_or(SHORT)?),
            idle_s: u32::from_be_bytes(array(&mut rest).ok_or(SHORT)?),
            message: take(&mut rest, length.into()).ok_or(SHORT)?,
        });
    }
    let count = u32::from_be_bytes(array(&mut rest).ok_or(SHORT)?);
    if rest.len() != 8 || count as usize != list.len() {
        return Err("it is not whole, or something stands behind it");
    }
    Ok((saved_s, list))
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    take(rest, N)?.try_into().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn file() -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(MAGIC);
        out.extend(VERSION.to_be_bytes());
        out.extend(1000_u64.to_be_bytes());
        for message in [&b"first"[..], b"second"] {
            out.extend((message.len() as u16).to_be_bytes());
            out.extend(1300_u64.to_be_bytes());
            out.extend(7_u32.to_be_bytes());
            out.extend(message);
        }
        out.extend([0; 2]);
        out.extend(2_u32.to_be_bytes());
        let mut sum = Checksum::new();
        sum.add(&out);
        out.extend(sum.0.to_be_bytes());
        out
    }

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let file = file();
        let (saved_s, list) = frames(&file).unwrap();
        assert_eq!((saved_s, list.len()), (1000, 2));
        assert_eq!(
            (list[1].expires_s, list[1].idle_s, list[1].message),
            (1300, 7, &b"second"[..])
        );
        for length in 0..file.len() {
            assert!(frames(&file[..length]).is_err(), "cut at {length}");
        }
        assert!(frames(&[&file[..], b"\0"].concat()).is_err());
        for place in 0..file.len() {
            for change in 1..=255 {
                let mut changed = file.clone();
                changed[place] ^= change;
                assert!(frames(&changed).is_err(), "octet {place}");
            }
        }
    }

    /// An author of a file who writes the checksum, too, can write lengths that lead nowhere.
    #[test]
    fn lengths_are_not_believed() {
        let file = file();
        for place in 0..file.len() - 8 {
            for change in [1, 0x80, 0xff] {
                let mut changed = file.clone();
                changed[place] ^= change;
                let body = changed.len() - 8;
                let mut sum = Checksum::new();
                sum.add(&changed[..body]);
                changed[body..].copy_from_slice(&sum.0.to_be_bytes());
                let _any = frames(&changed);
            }
        }
    }
}
