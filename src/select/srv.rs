//! The order of SRV records (RFC 2782).
//!
//! A call does not remember which records it tried: the order is a function of the record set and of a seed kept in the
//! handle, so any step can derive it again. So any number of records can be tried, and the call may go on in another
//! process.

use crate::host::random::split_mix;
use crate::rr::MAX_RRSET_RECORDS;

/// Priority and weight of a record.
pub(crate) type Ranked = (u16, u16);

/// The position in the set of the record that is used as number `step` (from 0).
///
/// `records` are sorted by priority. With seed 0 they are used in that order; otherwise records
/// of one priority are drawn by weight, without replacement. At most [`MAX_RRSET_RECORDS`] count. The weights
/// are the call's to change.
#[must_use]
pub(crate) fn nth(records: &mut [Ranked], step: usize, seed: u32) -> Option<usize> {
    let count = records.len().min(MAX_RRSET_RECORDS);
    let records = records.get_mut(..count)?;
    let (priority, _) = *records.get(step)?;
    if seed == 0 {
        return Some(step);
    }
    let (before, behind) = records.split_at_checked(step)?;
    let alike = |record: &&Ranked| record.0 == priority;
    let drawn_before = before.iter().rev().take_while(alike).count();
    let start = step - drawn_before;
    let end = step + behind.iter().take_while(alike).count();
    let group = records.get_mut(start..end)?;
    // Each priority has draws of its own: one group does not shift another.
    let mut state = (u64::from(seed) << 32) | u64::from(priority);
    // Seeds may be small numbers that a caller chose: spread them before the first draw.
    state = split_mix(&mut state);
    Group::new(group)
        .draw_nth(drawn_before, &mut state)
        .map(|index| start + index)
}

/// Where a call with this seed begins in a set of addresses of a type: a position from 0 to `count - 1`.
#[must_use]
pub(crate) fn first_address(count: usize, seed: u32, rtype: u16) -> usize {
    // Apart from the draws among SRV records, whose priorities have 16 bits.
    let mut state = u64::from(seed) << 32 | 1 << 16 | u64::from(rtype);
    below(&mut state, count as u64) as usize
}

/// The records of a group that are used already, a bit for each.
#[derive(Clone, Copy, Default)]
struct Used([u64; MAX_RRSET_RECORDS.div_ceil(64)]);

impl Used {
    #[inline]
    fn has(&self, index: usize) -> bool {
        self.0
            .get(index / 64)
            .is_some_and(|word| word >> (index % 64) & 1 != 0)
    }

    #[inline]
    fn add(&mut self, index: usize) {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }
}

/// The records of one priority while they are drawn.
struct Group<'a> {
    /// Records that were drawn have weight 0, so that no number above 0 draws them again.
    records: &'a mut [Ranked],
    used: Used,
    /// Sum of the weights of the records that are left.
    sum: u64,
    /// How many of those that are left have weight 0.
    zeros: u64,
}

impl<'a> Group<'a> {
    #[inline]
    fn new(records: &'a mut [Ranked]) -> Self {
        let (mut sum, mut zeros) = (0, 0);
        for (_, weight) in &*records {
            sum += u64::from(*weight);
            zeros += u64::from(*weight == 0);
        }
        Self {
            records,
            used: Used::default(),
            sum,
            zeros,
        }
    }

    /// Draws `step + 1` records and gives the last.
    #[inline]
    fn draw_nth(mut self, step: usize, state: &mut u64) -> Option<usize> {
        for _ in 0..step {
            let index = self.draw(state)?;
            self.take(index);
        }
        if step + 1 == self.records.len() {
            // The last one needs no luck.
            return (0..self.records.len()).find(|&index| !self.used.has(index));
        }
        self.draw(state)
    }

    #[inline]
    fn take(&mut self, index: usize) {
        self.used.add(index);
        if let Some((_, weight)) = self.records.get_mut(index) {
            self.sum -= u64::from(*weight);
            self.zeros -= u64::from(*weight == 0);
            *weight = 0;
        }
    }

    /// A draw among the records that are left.
    ///
    /// RFC 2782: a number from 0 to the sum of the weights; records of weight 0 come first, so they are
    /// drawn with the number 0. Where there are several of these, or nothing but these, each has the same
    /// chance; where there is none, 0 is not drawn, for it would favour the first record.
    #[inline]
    fn draw(&self, state: &mut u64) -> Option<usize> {
        let first = u64::from(self.zeros == 0);
        let number = first + below(state, self.sum + 1 - first);
        let mut weights = self.records.iter().map(|(_, weight)| u64::from(*weight));
        if number == 0 {
            let which = below(state, self.zeros) as usize;
            let left = weights.enumerate();
            let unused = left.filter(|(index, weight)| *weight == 0 && !self.used.has(*index));
            return unused.map(|(index, _)| index).nth(which);
        }
        let mut running = 0;
        weights.position(|weight| {
            running += weight;
            running >= number
        })
    }
}

/// A number from 0 to `range - 1`; 0 when the range is empty. The bias of the multiplication is below
/// 2^-40 for the ranges in use.
fn below(state: &mut u64, range: u64) -> u64 {
    ((u128::from(split_mix(state)) * u128::from(range)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nth(records: &[Ranked], step: usize, seed: u32) -> Option<usize> {
        super::nth(&mut records.to_vec(), step, seed)
    }

    /// Shares of the first draw over many seeds.
    fn first_draws(weights: &[u16], draws: u32) -> Vec<u32> {
        let records: Vec<Ranked> = weights.iter().map(|w| (1, *w)).collect();
        let mut counts = vec![0; weights.len()];
        let mut seeds = 99;
        for _ in 0..draws {
            let seed = (split_mix(&mut seeds) >> 32) as u32 | 1;
            counts[nth(&records, 0, seed).unwrap()] += 1;
        }
        counts
    }

    fn chi_square(counts: &[u32], shares: &[f64]) -> f64 {
        let total: f64 = counts.iter().map(|c| f64::from(*c)).sum();
        counts
            .iter()
            .zip(shares)
            .map(|(c, s)| (f64::from(*c) - s * total).powi(2) / (s * total))
            .sum()
    }

    /// 1 % points of chi-square for 1 to 3 degrees of freedom.
    const LIMIT: [f64; 4] = [0.0, 6.635, 9.210, 11.345];

    #[test]
    fn shares_follow_the_weights() {
        let chi = chi_square(&first_draws(&[60, 30, 10], 100_000), &[0.6, 0.3, 0.1]);
        assert!(chi < LIMIT[2], "{chi}");
    }

    /// B32: weight 0 is drawn with 1/(S+1), and weights that are all 0 are drawn alike.
    #[test]
    fn zero_weights() {
        let chi = chi_square(&first_draws(&[3, 1, 0], 100_000), &[0.6, 0.2, 0.2]);
        assert!(chi < LIMIT[2], "{chi}");
        let chi = chi_square(&first_draws(&[0, 0, 0, 0], 100_000), &[0.25; 4]);
        assert!(chi < LIMIT[3], "{chi}");
        let chi = chi_square(
            &first_draws(&[2, 0, 0], 100_000),
            &[2.0 / 3.0, 1.0 / 6.0, 1.0 / 6.0],
        );
        assert!(chi < LIMIT[2], "{chi}");
    }

    /// B32: more than 64 records of one priority have a share each.
    #[test]
    fn large_groups() {
        let counts = first_draws(&[5; 200], 200_000);
        let chi = chi_square(&counts, &[1.0 / 200.0; 200]);
        // 199 degrees of freedom, 1 % point.
        assert!(chi < 248.3, "{chi}");
    }

    #[test]
    fn the_second_draw_is_among_the_rest() {
        // After the heavy one is gone, 1 and 3 share as 1:3.
        let records = [(1, 96), (1, 3), (1, 1)];
        let (mut three, mut one) = (0, 0);
        let mut seeds = 5;
        for _ in 0..100_000 {
            let seed = (split_mix(&mut seeds) >> 32) as u32 | 1;
            if nth(&records, 0, seed) == Some(0) {
                match nth(&records, 1, seed) {
                    Some(1) => three += 1,
                    Some(2) => one += 1,
                    other => panic!("{other:?}"),
                }
            }
        }
        let chi = chi_square(&[three, one], &[0.75, 0.25]);
        assert!(chi < LIMIT[1], "{chi}");
    }

    #[test]
    fn every_record_comes_once_and_priorities_in_order() {
        let mut records: Vec<Ranked> = (0..90).map(|i| (1 + i / 30, i * 7 % 13)).collect();
        records.sort_by_key(|(p, w)| (*p, u16::MAX - *w));
        for seed in [0, 1, 77, u32::MAX] {
            let order: Vec<usize> = (0..records.len())
                .map(|i| nth(&records, i, seed).unwrap())
                .collect();
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert!(sorted.into_iter().eq(0..records.len()));
            assert!(
                order
                    .windows(2)
                    .all(|pair| records[pair[0]].0 <= records[pair[1]].0)
            );
            assert_eq!(nth(&records, records.len(), seed), None);
        }
        assert_eq!(nth(&[], 0, 7), None);
    }
}
