//! Sizes of items by DynamoDB's rule.

use septet_contract::Number;

use crate::decimal::Decimal;
use crate::flat::Members;
use crate::view::View;

/// What a list or a map costs beside its contents, and what each of its elements costs on top.
const CONTAINER: u64 = 3;
const ELEMENT: u64 = 1;

/// Bytes of an item as DynamoDB counts them towards its limit of 400 KB: names and values.
pub(crate) fn of_item(item: Members<'_>) -> u64 {
    item.iter().map(|(name, value)| length(name.len()) + of_value(value)).sum()
}

fn of_value(value: View<'_>) -> u64 {
    match value {
        View::S(text) => length(text.len()),
        View::N(text) => of_number(text),
        View::B(bytes) => length(bytes.len()),
        View::Bool(_) | View::Null => 1,
        View::M(members) => CONTAINER + of_item(members) + ELEMENT * length(members.len()),
        View::L(elements) => {
            CONTAINER + elements.iter().map(|element| ELEMENT + of_value(element)).sum::<u64>()
        }
        View::SS(elements) | View::NS(elements) | View::BS(elements) => elements.iter().map(of_value).sum(),
    }
}

/// One byte for every two significant digits on each side of the point, one for the number, one for a minus
/// sign. The documentation says "approximately"; the sides and the sign are how emulators that were held against
/// DynamoDB have it.
fn of_number(text: &str) -> u64 {
    if let Ok(number) = Number::parse(text) {
        let (negative, digits, power) = number.parts();
        let count = digits.checked_ilog10().map_or(0, |log| log + 1);
        let before = count.saturating_add_signed(power).min(count);
        return u64::from(before.div_ceil(2) + (count - before).div_ceil(2)) + 1 + u64::from(negative);
    }
    // A number of a file that DynamoDB would not take.
    let Some(number) = Decimal::parse(text) else { return length(text.len()) };
    let (before, after) = number.around_point();
    length(before.div_ceil(2) + after.div_ceil(2)) + 1 + u64::from(number.negative)
}

fn length(length: usize) -> u64 {
    length as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flat::Flat;
    use crate::samples::{item, number, text, with_view};
    use crate::value::{Item, Value};

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
            assert_eq!(with_view(&value, of_value), expected, "{value:?}");
            let mut flat = Flat::default();
            flat.take(&item([("näme", value.clone())]));
            assert_eq!(of_item(flat.item("")), 5 + expected, "{value:?}");
        }
    }
}
