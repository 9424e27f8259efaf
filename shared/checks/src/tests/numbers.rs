//! Comparisons of numbers against a decimal library.

use std::str::FromStr;

use bigdecimal::{BigDecimal, Zero};
use proptest::prelude::*;

use super::{contract, failing, items, report};
use crate::Checker;
use crate::samples::{any_number, number};

/// Numbers of up to 38 digits with a point or exponent somewhere, many of them close to each other.
fn close_number() -> impl Strategy<Value = String> {
    prop_oneof![
        any_number(),
        ("-?[1-9][0-9]{0,37}", -60..60_i32).prop_map(|(digits, power)| format!("{digits}e{power}")),
        (-3..4_i32, 0..3_i32).prop_map(|(digit, power)| format!("{digit}e{power}")),
        "-?0\\.[01]{1,4}",
    ]
}

proptest! {
    #[test]
    fn ranges_agree_with_a_decimal_library(bound in close_number(), values in prop::collection::vec(close_number(), 1..8)) {
        for (rule, holds) in [
            ("minimum", (|value, bound| value >= bound) as fn(&BigDecimal, &BigDecimal) -> bool),
            ("maximum", |value, bound| value <= bound),
            ("exclusiveMinimum", |value, bound| value > bound),
            ("exclusiveMaximum", |value, bound| value < bound),
        ] {
            let limit = BigDecimal::from_str(&bound).unwrap();
            let options = format!("- name: a\n  logicalType: number\n  logicalTypeOptions: {{{rule}: {limit}}}\n");
            let checker = Checker::new(&contract(&options, ""));
            for value in values.iter().chain([&bound]) {
                let found = report(&checker, &items([Some(number(value.as_str()))]));
                let expected = holds(&BigDecimal::from_str(value).unwrap(), &limit);
                prop_assert_eq!(failing(&found).is_empty(), expected, "{} {} {}", value, rule, bound);
            }
        }
    }

    #[test]
    fn multiples_agree_with_a_decimal_library(
        step in prop_oneof!["[1-9][0-9]{0,3}", "0\\.[0-9]{0,3}[1-9]", "[1-9]e-?[0-9]", "[1-9][0-9]{37}"],
        factor in -1000..1000_i64,
        values in prop::collection::vec(close_number(), 1..8),
    ) {
        let limit = BigDecimal::from_str(&step).unwrap();
        let options = format!("- name: a\n  logicalType: number\n  logicalTypeOptions: {{multipleOf: {}}}\n", limit.to_plain_string());
        let checker = Checker::new(&contract(&options, ""));
        let multiple = (&limit * BigDecimal::from(factor)).to_plain_string();
        let exact = multiple.bytes().filter(u8::is_ascii_digit).count() <= 38;
        for value in values.iter().chain(exact.then_some(&multiple)) {
            let found = report(&checker, &items([Some(number(value.as_str()))]));
            let expected = (BigDecimal::from_str(value).unwrap() % &limit).is_zero();
            prop_assert_eq!(failing(&found).is_empty(), expected, "{} of {}", value, step);
        }
    }
}
