//! Sizes by DynamoDB's rule, as it counts them towards an item's limit of 400 KB.
//!
//! Names, strings and binaries have their bytes, sets those of their elements.

use septet_contract::Number;

use crate::decimal::Decimal;

/// What a truth value costs.
pub(crate) const TRUTH: u64 = 1;
/// What the null value costs.
pub(crate) const NULL: u64 = 1;

/// What a list or a map costs beside its contents, and what each of its elements costs on top.
const CONTAINER: u64 = 3;
const ELEMENT: u64 = 1;

pub(crate) fn of_container(elements: usize) -> u64 {
    CONTAINER + ELEMENT * elements as u64
}

/// One byte for every two significant digits on each side of the point, one for the number, one for a minus
/// sign. The documentation says "approximately"; the sides and the sign are how emulators that were held against
/// DynamoDB have it.
pub(crate) fn of_number(number: &Number) -> u64 {
    let (negative, digits, power) = number.parts();
    let count = match u64::try_from(digits) {
        // 128 bits have a slow logarithm, and most numbers do not have them.
        Ok(short) => short.checked_ilog10(),
        Err(_) => digits.checked_ilog10(),
    };
    let count = count.map_or(0, |log| log + 1);
    let before = count.saturating_add_signed(power).min(count);
    of_digits(before.into(), (count - before).into(), negative)
}

/// As [`of_number`], of one that DynamoDB would not take.
pub(crate) fn of_odd_number(number: &Decimal<'_>) -> u64 {
    let (before, after) = number.around_point();
    of_digits(before as u64, after as u64, number.negative)
}

fn of_digits(before: u64, after: u64, negative: bool) -> u64 {
    before.div_ceil(2) + after.div_ceil(2) + 1 + u64::from(negative)
}

#[cfg(test)]
mod tests {
    use crate::digest::Encoder;
    use crate::flat::Flat;
    use crate::samples::{item, number, text};
    use crate::value::{Item, Value};

    fn of_item(item: &Item) -> u64 {
        let (mut flat, mut encoder) = (Flat::default(), Encoder::default());
        flat.take(item);
        encoder.item(flat.item(""));
        encoder.size()
    }

    #[test]
    fn sizes_follow_the_rule_of_dynamodb() {
        for (value, expected) in [
            (text(""), 0),
            (text("é😀"), 6),
            (Value::B(vec![0; 7]), 7),
            (Value::Bool(true), 1),
            (Value::Null, 1),
            (number("0"), 1),
            (number("-0.00"), 1),
            (number("42"), 2),
            (number("-42"), 3),
            (number("1.5"), 3),
            (number("0.93"), 2),
            (number("1e20"), 2),
            (number("1000"), 2),
            (number("12345678901234567890123456789012345678"), 20),
            (number("no number"), 9),
            (Value::L(vec![]), 3),
            (Value::M(Item::new()), 3),
            (Value::L(vec![text("ab"), Value::Null]), 3 + (1 + 2) + (1 + 1)),
            (Value::M(item([("key", text("ab"))])), 3 + 1 + 3 + 2),
            (Value::SS(vec!["a".to_owned(), "bc".to_owned()]), 3),
            (Value::NS(vec!["1".to_owned(), "234".to_owned()]), 2 + 3),
            (Value::BS(vec![vec![1, 2], vec![3]]), 3),
        ] {
            assert_eq!(of_item(&item([("näme", value.clone())])), 5 + expected, "{value:?}");
        }
    }
}
