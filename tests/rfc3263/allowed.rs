//! Whether a list of targets is one of those that a draw by weight can give.

use std::net::IpAddr;

use super::model::{Host, Selection, Target};

/// True when `list` has the branches in their order, in each the groups in theirs, in each group the hosts in any
/// order, and of each host the addresses in their order from any on, and round.
pub fn is_allowed(selection: &Selection, list: &[Target]) -> bool {
    let groups: Vec<(u8, &[Host])> = selection
        .branches
        .iter()
        .flat_map(|branch| {
            let transport = branch.transport;
            branch.groups.iter().map(move |group| (transport, &**group))
        })
        .collect();
    takes(selection, &groups, &mut Vec::new(), list)
}

/// Takes hosts of the first group, those in `used` excepted, from the beginning of the list.
fn takes(
    selection: &Selection,
    groups: &[(u8, &[Host])],
    used: &mut Vec<usize>,
    list: &[Target],
) -> bool {
    let Some(((transport, hosts), behind)) = groups.split_first() else {
        return list.is_empty();
    };
    if used.len() == hosts.len() {
        return takes(selection, behind, &mut Vec::new(), list);
    }
    for (index, host) in hosts.iter().enumerate() {
        if used.contains(&index) {
            continue;
        }
        if let Some(rest) = without_host(selection, *transport, host, list) {
            used.push(index);
            if takes(selection, groups, used, rest) {
                return true;
            }
            used.pop();
        }
    }
    false
}

/// What is behind the host's addresses at the beginning of a list.
fn without_host<'l>(
    selection: &Selection,
    transport: u8,
    host: &Host,
    list: &'l [Target],
) -> Option<&'l [Target]> {
    let count = host.families.iter().map(Vec::len).sum();
    let (head, rest) = list.split_at_checked(count)?;
    let same_place = |target: &Target| (target.1, target.2) == (host.port, transport);
    let found: Vec<IpAddr> = head.iter().map(|target| target.0).collect();
    // Each family as it was found.
    let of_family = |family: &Vec<IpAddr>| {
        let same = |address: &&IpAddr| address.is_ipv4() == family[0].is_ipv4();
        found.iter().filter(same).copied().collect::<Vec<_>>()
    };
    let families: Vec<Vec<IpAddr>> = host.families.iter().map(of_family).collect();
    let turned = host.families.iter().zip(&families);
    let fine = head.iter().all(same_place)
        && turned
            .into_iter()
            .all(|(family, found)| is_turned(family, found))
        && selection.merge(families) == found;
    fine.then_some(rest)
}

pub fn is_turned(circle: &[IpAddr], found: &[IpAddr]) -> bool {
    (0..circle.len().max(1)).any(|begin| {
        let mut turned = circle.to_vec();
        if begin < turned.len() {
            turned.rotate_left(begin);
        }
        turned == found
    })
}
