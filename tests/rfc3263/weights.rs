//! How often each order of equal records comes: RFC 2782, with the share of weight 0 that COMPAT.md gives it.

/// The probability that records with these weights come in the order of the list, the first first.
///
/// RFC 2782: a number from 0 to the sum of the weights is drawn, and records of weight 0 stand before the others. COMPAT.md
/// ("Selection"): what has weight 0 has a share of 1/(S+1) in all, equal ones equal shares; where nothing has weight 0,
/// the shares are the weights.
pub fn probability(order: &[u16]) -> f64 {
    let Some((first, rest)) = order.split_first() else {
        return 1.0;
    };
    let sum: f64 = order.iter().map(|weight| f64::from(*weight)).sum();
    let zeros = order.iter().filter(|weight| **weight == 0).count() as f64;
    let share = match (*first, zeros > 0.0) {
        (0, _) => 1.0 / (sum + 1.0) / zeros,
        (weight, true) => f64::from(weight) / (sum + 1.0),
        (weight, false) => f64::from(weight) / sum,
    };
    share * probability(rest)
}

/// All orders of the numbers below `count`.
pub fn orders(count: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for number in 0..count {
        let longer = |order: &Vec<usize>, place: usize| {
            let mut longer = order.clone();
            longer.insert(place, number);
            longer
        };
        all = all
            .iter()
            .flat_map(|order| {
                (0..=order.len())
                    .map(|place| longer(order, place))
                    .collect::<Vec<_>>()
            })
            .collect();
    }
    all
}

/// Chi-square of counts against expectations, and its degrees of freedom. What is expected too seldom to count alone is
/// counted together.
pub fn chi_square(cells: &[(f64, f64)]) -> (f64, usize) {
    let (mut seldom, mut often) = ((0.0, 0.0), Vec::new());
    for (count, expected) in cells {
        if *expected < 5.0 {
            seldom = (seldom.0 + count, seldom.1 + expected);
        } else {
            often.push((*count, *expected));
        }
    }
    if seldom.1 >= 5.0 {
        often.push(seldom);
    }
    let square = |(count, expected): &(f64, f64)| (count - expected).powi(2) / expected;
    (
        often.iter().map(square).sum(),
        often.len().saturating_sub(1),
    )
}

/// What chi-square exceeds in one of 10,000 cases when nothing is wrong (Wilson and Hilferty's approximation).
pub fn limit(freedom: usize) -> f64 {
    let freedom = freedom as f64;
    let ninth = 2.0 / (9.0 * freedom);
    freedom * (1.0 - ninth + 3.719 * ninth.sqrt()).powi(3)
}
