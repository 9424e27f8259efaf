//! Decimal numbers as DynamoDB holds them.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// Significant digits that DynamoDB keeps of a number.
pub const MAX_DIGITS: u32 = 38;
const MIN_MAGNITUDE: i64 = -130;
const MAX_MAGNITUDE: i64 = 125;

/// An exact decimal number: up to 38 significant digits, between 1E-130 and 9.99…E+125 in size, or zero.
///
/// That is the range of DynamoDB's type `N`, so an attribute and a bound of a contract compare without rounding.
/// `1`, `1.0` and `1e0` are one number: they are equal, hash alike and print as `1`.
#[derive(Clone, Copy)]
pub struct Number {
    negative: bool,
    mantissa: u128,
    exponent: i32,
}

/// Says why a text is no [`Number`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// The text does not read as a decimal number.
    #[error("not a decimal number")]
    Syntax,
    /// The number has more than 38 significant digits.
    #[error("more than 38 significant digits")]
    TooPrecise,
    /// The number is larger or smaller than DynamoDB holds.
    #[error("outside the range 1E-130 to 9.99E+125")]
    OutOfRange,
}

impl Number {
    /// Zero.
    pub const ZERO: Self = Self { negative: false, mantissa: 0, exponent: 0 };

    fn new(negative: bool, mut mantissa: u128, mut exponent: i64) -> Result<Self, NumberError> {
        if mantissa == 0 {
            return Ok(Self::ZERO);
        }
        if exponent.unsigned_abs() > 1 << 32 {
            return Err(NumberError::OutOfRange);
        }
        while mantissa.is_multiple_of(10) {
            mantissa /= 10;
            exponent += 1;
        }
        let digits = digits(mantissa);
        if digits > MAX_DIGITS {
            return Err(NumberError::TooPrecise);
        }
        let magnitude = exponent + i64::from(digits) - 1;
        if !(MIN_MAGNITUDE..=MAX_MAGNITUDE).contains(&magnitude) {
            return Err(NumberError::OutOfRange);
        }
        let exponent = i32::try_from(exponent).map_err(|_| NumberError::OutOfRange)?;
        Ok(Self { negative, mantissa, exponent })
    }

    /// Reads decimal text: an optional sign, digits with an optional point, an optional exponent.
    ///
    /// Takes no other form: no spaces, no `_`, no hexadecimal, no infinity. Allocates nothing.
    #[inline]
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        let bytes = text.as_bytes();
        match Self::parse_short(bytes) {
            Some((negative, mantissa, exponent)) => {
                Ok(Self { negative, mantissa: mantissa.into(), exponent })
            }
            None => Self::parse_long(bytes),
        }
    }

    #[cold]
    fn parse_long(bytes: &[u8]) -> Result<Self, NumberError> {
        let (negative, mut rest) = match bytes.split_first() {
            Some((b'-', rest)) => (true, rest),
            Some((b'+', rest)) => (false, rest),
            _ => (false, bytes),
        };
        let (mut mantissa, mut exponent, mut any, mut point) = (0_u128, 0_i64, false, false);
        let mut precise = true;
        let mut zeros = 0_u32;
        while let Some((&byte, tail)) = rest.split_first() {
            match byte {
                b'0'..=b'9' => {
                    any = true;
                    if point {
                        exponent = exponent.saturating_sub(1);
                    }
                    if byte == b'0' {
                        // Zeros wait until a further digit shows that they are significant.
                        zeros = zeros.saturating_add(1);
                    } else if precise {
                        match shift(mantissa, zeros.saturating_add(1)) {
                            Some(shifted) => mantissa = shifted + u128::from(byte - b'0'),
                            None => precise = false,
                        }
                        zeros = 0;
                    }
                }
                b'.' if !point => point = true,
                b'e' | b'E' => break,
                _ => return Err(NumberError::Syntax),
            }
            rest = tail;
        }
        if !any {
            return Err(NumberError::Syntax);
        }
        if let Some((_, digits)) = rest.split_first() {
            exponent = exponent.saturating_add(parse_exponent(digits)?);
        }
        if !precise {
            return Err(NumberError::TooPrecise);
        }
        Self::new(negative, mantissa, exponent.saturating_add(i64::from(zeros)))
    }

    /// Reads what most numbers are: up to 18 digits with a point somewhere. `None` leaves the text to others.
    #[inline(always)]
    fn parse_short(bytes: &[u8]) -> Option<(bool, u64, i32)> {
        let (negative, digits) = match bytes {
            [b'-', digits @ ..] => (true, digits),
            digits => (false, digits),
        };
        let (mut mantissa, mut point) = (0_u64, None);
        if digits.is_empty() || digits.len() > 18 {
            return None;
        }
        for (at, byte) in digits.iter().enumerate() {
            match byte {
                b'0'..=b'9' => mantissa = mantissa * 10 + u64::from(byte - b'0'),
                b'.' if point.is_none() && digits.len() > 1 => point = Some(at),
                _ => return None,
            }
        }
        if mantissa == 0 {
            return Some((false, 0, 0));
        }
        let mut exponent = point.map_or(0, |at| at as i32 + 1 - digits.len() as i32);
        while mantissa.is_multiple_of(10) {
            mantissa /= 10;
            exponent += 1;
        }
        Some((negative, mantissa, exponent))
    }

    /// Tells whether the number is below zero.
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// Tells whether the number has no fraction; `1.0` has none.
    pub fn is_integer(&self) -> bool {
        self.exponent >= 0
    }

    /// The number as `u64`, if it is one.
    pub fn to_u64(&self) -> Option<u64> {
        let value = u64::try_from(self.whole_size()?).ok()?;
        (!self.negative).then_some(value)
    }

    /// The size of a whole number, without its sign, as long as 128 bits hold it.
    pub(crate) fn whole_size(&self) -> Option<u128> {
        self.mantissa.checked_mul(10_u128.checked_pow(u32::try_from(self.exponent).ok()?)?)
    }

    /// The nearest `f64`; for statistics and display, never for a verdict.
    pub fn to_f64(&self) -> f64 {
        // Both are exact as `f64`, so one rounding is all there is.
        const EXACT: u64 = 1 << f64::MANTISSA_DIGITS;
        const POWERS: [f64; 16] =
            [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
        let size = match (u64::try_from(self.mantissa), POWERS.get(self.exponent.unsigned_abs() as usize)) {
            (Ok(digits), Some(power)) if digits <= EXACT && self.exponent < 0 => digits as f64 / power,
            (Ok(digits), Some(power)) if digits <= EXACT => digits as f64 * power,
            _ => return self.to_string().parse().unwrap_or(f64::NAN),
        };
        if self.negative { -size } else { size }
    }

    /// Sign, digits and power of ten; equal numbers have the same.
    pub fn parts(&self) -> (bool, u128, i32) {
        (self.negative, self.mantissa, self.exponent)
    }

    /// Tells whether the number is an exact multiple of `step`; of zero, only zero is.
    pub fn is_multiple_of(&self, step: &Self) -> bool {
        if step.mantissa == 0 || self.mantissa == 0 {
            return self.mantissa == 0;
        }
        // No mantissa ends in zero, so zeros that the step has beyond the number leave a remainder.
        let Ok(zeros) = u32::try_from(self.exponent - step.exponent) else { return false };
        let modulus = step.mantissa;
        let mut remainder = self.mantissa % modulus;
        for _ in 0..zeros {
            // Both stay below 10^38, so a sum of two fits into 128 bits where ten times one does not.
            let double = (remainder + remainder) % modulus;
            let quadruple = (double + double) % modulus;
            let quintuple = (quadruple + remainder) % modulus;
            remainder = (quintuple + quintuple) % modulus;
        }
        remainder == 0
    }

    /// Compares `part` in percent of `whole` with `self`, exactly: the answer is where the share lies.
    ///
    /// No percent of nothing (`whole` is 0) is 0 %.
    pub fn compare_percent(part: u64, whole: u64, with: &Self) -> Ordering {
        let (mut dividend, divisor) = (u128::from(part) * 100, u128::from(whole));
        if whole == 0 {
            dividend = 0;
        }
        let divisor = divisor.max(1);
        let (mut mantissa, mut remainder, mut exponent) = (dividend / divisor, dividend % divisor, 0_i64);
        while remainder != 0 && digits(mantissa) < MAX_DIGITS {
            remainder *= 10;
            mantissa = mantissa * 10 + remainder / divisor;
            remainder %= divisor;
            exponent -= 1;
        }
        let shown = Self::new(false, mantissa, exponent).unwrap_or(Self::ZERO);
        // What was cut off can only make the share larger than an equal bound, never larger than a larger one.
        shown.cmp(with).then(if remainder == 0 { Ordering::Equal } else { Ordering::Greater })
    }

    fn magnitude(&self) -> i64 {
        i64::from(self.exponent) + i64::from(digits(self.mantissa))
    }

    #[inline]
    fn compare_size(&self, other: &Self) -> Ordering {
        if self.mantissa == 0 || other.mantissa == 0 {
            return self.mantissa.cmp(&other.mantissa);
        }
        let apart = self.exponent - other.exponent;
        if apart == 0 {
            return self.mantissa.cmp(&other.mantissa);
        }
        if let (Ok(one), Ok(two), Some(power)) = (
            u64::try_from(self.mantissa),
            u64::try_from(other.mantissa),
            POWERS.get(apart.unsigned_abs() as usize),
        ) {
            // Neither product has more than 128 bits.
            let (one, two, power) = (u128::from(one), u128::from(two), u128::from(*power));
            return if apart > 0 { (one * power).cmp(&two) } else { one.cmp(&(two * power)) };
        }
        self.magnitude().cmp(&other.magnitude()).then_with(|| {
            let least = self.exponent.min(other.exponent);
            let aligned = |n: &Self| shift(n.mantissa, n.exponent.abs_diff(least)).unwrap_or(u128::MAX);
            aligned(self).cmp(&aligned(other))
        })
    }
}

/// Powers of ten that 64 bits hold.
const POWERS: [u64; 20] = {
    let mut powers = [1; 20];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

fn digits(mantissa: u128) -> u32 {
    if let Ok(short) = u64::try_from(mantissa) {
        return short.checked_ilog10().map_or(0, |log| log + 1);
    }
    mantissa.checked_ilog10().map_or(0, |log| log + 1)
}

/// `mantissa` with `zeros` appended, as long as that keeps to 38 digits.
fn shift(mantissa: u128, zeros: u32) -> Option<u128> {
    if mantissa == 0 {
        return Some(0);
    }
    (digits(mantissa).saturating_add(zeros) <= MAX_DIGITS).then(|| mantissa * 10_u128.pow(zeros))
}

fn parse_exponent(bytes: &[u8]) -> Result<i64, NumberError> {
    let (negative, digits) = match bytes.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, bytes),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(NumberError::Syntax);
    }
    let size = digits
        .iter()
        .fold(0_i64, |size, digit| size.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    Ok(if negative { -size } else { size })
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Number {
    type Err = NumberError;
    fn from_str(text: &str) -> Result<Self, NumberError> {
        Self::parse(text)
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        let (mut mantissa, mut exponent) = (u128::from(value), 0);
        while mantissa != 0 && mantissa.is_multiple_of(10) {
            mantissa /= 10;
            exponent += 1;
        }
        Self { negative: false, mantissa, exponent }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.negative, self.mantissa, self.exponent).hash(state);
    }
}

impl Ord for Number {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.compare_size(other),
            (true, true) => other.compare_size(self),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Prints plain digits while they are at most 40 or so, else with an exponent; always valid JSON.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.mantissa.to_string();
        let count = digits.len();
        let mut text = String::from(if self.negative { "-" } else { "" });
        match self.exponent {
            0 => text.push_str(&digits),
            1..=40 if count + self.exponent.unsigned_abs() as usize <= 40 => {
                text.push_str(&digits);
                text.extend(std::iter::repeat_n('0', self.exponent.unsigned_abs() as usize));
            }
            -40..=-1 => {
                let fraction = self.exponent.unsigned_abs() as usize;
                if fraction < count {
                    text.push_str(&digits[..count - fraction]);
                } else {
                    text.push('0');
                }
                text.push('.');
                text.extend(std::iter::repeat_n('0', fraction.saturating_sub(count)));
                text.push_str(&digits[count.saturating_sub(fraction)..]);
            }
            _ => {
                text.push_str(&digits[..1]);
                if count > 1 {
                    text.push('.');
                    text.push_str(&digits[1..]);
                }
                text.push('e');
                text.push_str(&(self.magnitude() - 1).to_string());
            }
        }
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn every_spelling_of_a_number_is_the_same_number() {
        for text in ["100", "1e2", "100.000", "+1E+2", "0.01e4", "00100"] {
            assert_eq!(number(text).to_string(), "100", "{text}");
        }
        for text in ["0", "-0", "0.000", "0e999999999999"] {
            assert_eq!(number(text), Number::ZERO, "{text}");
        }
    }

    #[test]
    fn text_that_dynamodb_would_not_hold_is_refused() {
        for text in ["", "-", ".", "1e", "1e+", "e1", " 1", "1_0", "0x1", "1.2.3", "NaN", "inf", "1é"] {
            assert_eq!(Number::parse(text), Err(NumberError::Syntax), "{text}");
        }
        assert_eq!(Number::parse(&"1".repeat(39)), Err(NumberError::TooPrecise));
        assert_eq!(Number::parse("1e126"), Err(NumberError::OutOfRange));
        assert_eq!(Number::parse("1e-131"), Err(NumberError::OutOfRange));
        assert_eq!(Number::parse("1e99999999999999999999"), Err(NumberError::OutOfRange));
        for text in ["9.9999999999999999999999999999999999999e125", "1e-130", "-1e-130"] {
            assert_eq!(number(text), number(&number(text).to_string()));
        }
        assert!(Number::parse(&format!("0.{}1", "0".repeat(129))).is_ok());
        assert!(Number::parse(&format!("{}000", "1".repeat(38))).is_ok());
    }

    #[test]
    fn numbers_of_38_digits_compare_exactly() {
        let (small, large) = (
            number("99999999999999999999999999999999999998"),
            number("99999999999999999999999999999999999999"),
        );
        assert!(small < large);
        assert!(number("-99999999999999999999999999999999999999") < small);
        assert!(number("1e-130") > Number::ZERO && number("-1e-130") < Number::ZERO);
        assert!(
            number("1e125") > large && number("0.1") < number("0.11") && number("-0.1") > number("-0.11")
        );
    }

    #[test]
    fn multiples_are_exact() {
        for (value, step, expected) in [
            ("0.3", "0.1", true),
            ("0.35", "0.1", false),
            ("1e125", "7", false),
            ("7e125", "7", true),
            ("-10", "2.5", true),
            ("5", "10", false),
            ("30", "20", false),
            ("40", "20", true),
            ("99999999999999999999999999999999999999", "3", true),
            ("99999999999999999999999999999999999999e80", "99999999999999999999999999999999999997", false),
            ("0", "3", true),
            ("1e-5", "1e125", false),
        ] {
            assert_eq!(number(value).is_multiple_of(&number(step)), expected, "{value} of {step}");
        }
    }

    #[test]
    fn a_share_is_compared_without_rounding() {
        use Ordering::{Equal, Greater, Less};
        for (part, whole, with, expected) in [
            (1, 1000, "0.1", Equal),
            (1, 3, "33.333333333333333333333333333333333333", Greater),
            (1, 3, "33.333333333333333333333333333333333334", Less),
            (0, 0, "0", Equal),
            (u64::MAX, u64::MAX, "100", Equal),
            (u64::MAX - 1, u64::MAX, "100", Less),
            (1, u64::MAX, "0", Greater),
        ] {
            assert_eq!(
                Number::compare_percent(part, whole, &number(with)),
                expected,
                "{part}/{whole} {with}"
            );
        }
    }

    proptest! {
        #[test]
        fn short_texts_are_read_as_long_ones_and_converted_as_the_standard_library_does(
            text in prop_oneof!["-?[0-9]{0,20}\\.?[0-9]{0,19}", "-?[0-9]{1,9}(\\.[0-9]{1,9})?", "[-0-9.e]{0,5}"],
        ) {
            // An exponent of nothing sends it another way.
            let long = if text.contains('e') { Number::parse(&text) } else { Number::parse(&format!("{text}e0")) };
            prop_assert_eq!(Number::parse(&text), long);
            if let Ok(number) = Number::parse(&text) {
                let expected: f64 = text.parse().unwrap();
                prop_assert_eq!(number.to_f64(), expected);
                prop_assert_eq!(number.parts(), long.unwrap().parts());
            }
        }

        #[test]
        fn printing_and_reading_give_the_same_number(negative: bool, mantissa in 0..10_u128.pow(38), exponent in -120_i32..80) {
            let text = format!("{}{mantissa}e{exponent}", if negative { "-" } else { "" });
            if let Ok(value) = Number::parse(&text) {
                prop_assert_eq!(Number::parse(&value.to_string()), Ok(value));
            }
        }

        #[test]
        fn order_agrees_with_whole_numbers(a: i64, b: i64, scale in 0_u32..60) {
            let of = |n: i64| number(&format!("{n}e-{scale}"));
            prop_assert_eq!(of(a).cmp(&of(b)), a.cmp(&b));
        }

        #[test]
        fn multiples_agree_with_whole_numbers(a in 0_u64..1_000_000, b in 1_u64..10_000) {
            prop_assert_eq!(Number::from(a).is_multiple_of(&Number::from(b)), a.is_multiple_of(b));
        }
    }
}
