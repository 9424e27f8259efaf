//! Sizes of items by DynamoDB's rule.

use crate::value::Item;
use crate::view::View;

/// What a list or a map costs beside its contents, and what each of its elements costs on top.
const CONTAINER: u64 = 3;
const ELEMENT: u64 = 1;

/// Bytes of an item as DynamoDB counts them towards its limit of 400 KB: names and values.
pub(crate) fn of_item(item: &Item) -> u64 {
    item.iter().map(|(name, value)| length(name.len()) + of_value(View::from(value))).sum()
}

fn of_value(value: View<'_>) -> u64 {
    match value {
        View::S(text) => length(text.len()),
        View::N(text) => of_number(text),
        View::B(bytes) => length(bytes.len()),
        View::Bool(_) | View::Null => 1,
        View::M(members) => CONTAINER + of_item(members) + ELEMENT * length(members.len()),
        View::L(elements) => {
            CONTAINER + elements.iter().map(|element| ELEMENT + of_value(View::from(element))).sum::<u64>()
        }
        View::SS(elements) => elements.iter().map(|element| length(element.len())).sum(),
        View::NS(elements) => elements.iter().map(|element| of_number(element)).sum(),
        View::BS(elements) => elements.iter().map(|element| length(element.len())).sum(),
    }
}

/// One byte for every two significant digits, one more for the number and one for a minus sign.
fn of_number(text: &str) -> u64 {
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let significant = mantissa.trim_matches(|c: char| !matches!(c, '1'..='9'));
    let digits = significant.bytes().filter(u8::is_ascii_digit).count();
    if digits == 0 {
        return 1;
    }
    length(digits).div_ceil(2) + 1 + u64::from(mantissa.starts_with('-'))
}

fn length(length: usize) -> u64 {
    length as u64
}
