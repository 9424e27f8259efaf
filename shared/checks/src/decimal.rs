//! Digits and power of ten of a number's text, without computing with it.

/// A number taken apart: its significant digits times a power of ten.
pub(crate) struct Decimal<'a> {
    /// False for zero.
    pub(crate) negative: bool,
    whole: &'a str,
    fraction: &'a str,
    leading: usize,
    /// Significant digits, without leading and trailing zeros; 0 for zero.
    pub(crate) count: usize,
    /// The power of ten of the last significant digit; 0 for zero.
    pub(crate) exponent: i64,
}

impl<'a> Decimal<'a> {
    /// Takes decimal text apart; `None` for text that is no number.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, i64::from(exponent.parse::<i32>().ok()?)),
            None => (text, 0),
        };
        let (negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = whole.len() + fraction.len();
        let digits = || whole.bytes().chain(fraction.bytes());
        if all == 0 || !digits().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let zero = |digit: &u8| *digit == b'0';
        let leading = digits().take_while(zero).count();
        if leading == all {
            return Some(Self { negative: false, whole, fraction, leading, count: 0, exponent: 0 });
        }
        let trailing = digits().rev().take_while(zero).count();
        let exponent = exponent + i64::try_from(trailing).ok()? - i64::try_from(fraction.len()).ok()?;
        Some(Self { negative, whole, fraction, leading, count: all - leading - trailing, exponent })
    }

    /// The significant digits in ASCII.
    pub(crate) fn digits(&self) -> impl Iterator<Item = u8> {
        self.whole.bytes().chain(self.fraction.bytes()).skip(self.leading).take(self.count)
    }

    /// Significant digits before and after the point.
    pub(crate) fn around_point(&self) -> (usize, usize) {
        let count = i64::try_from(self.count).unwrap_or(i64::MAX);
        let before = count.saturating_add(self.exponent).clamp(0, count);
        let before = usize::try_from(before).unwrap_or_default();
        (before, self.count - before)
    }
}
