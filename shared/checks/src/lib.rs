//! Profile of a table, rules over it, verdicts.
//!
//! A [`Checker`] is a compiled contract. It takes items one by one, or pages of a scan as they come over the wire,
//! into a [`Profile`]; profiles of the parts of a table merge in any order; [`Checker::evaluate`] turns the whole
//! into a [`Report`], with the [`History`] of versions before it. The crate promises that no item makes it panic,
//! that a check that could not be made never passes, and that order and split of the items change nothing. It leaves
//! reading items (a scan, a file) and what follows from a report to others. Items nest as deep as DynamoDB
//! allows, 32 levels; who reads them from elsewhere sees to that.
//!
//! # What is checked
//! - **The schema**, always of severity `error`: one result for each attribute and each of its limits. Lengths of
//!   strings are in Unicode characters (code points), those of binaries in bytes. Numbers are compared exactly,
//!   with all 38 digits. Absent and NULL are both null; a null breaks `required` and nothing else. A value
//!   of the wrong type breaks that one check and is not tested further.
//! - **Closed content**: one result for each attribute that the contract does not name, up to 16 at each place.
//! - **An empty table** fails unless a `rowCount` rule allows 0.
//! - **Rules**, with their own severity: `rowCount`, `nullValues`, `missingValues`, `invalidValues`,
//!   `duplicateValues`. Shares are of all items; below a list or a map, of all its elements, so that a
//!   member of an object that is null is null itself.
//! - **Uniqueness** is counted exactly, by 128-bit hashes, up to [`MOST_DISTINCT`] values, beyond that it is
//!   `errored`. What lies in objects is counted over items, too. Attributes that hold the whole primary key are unique because DynamoDB keeps it so: those
//!   rules pass and say so. Items with a null among the attributes count as no value.
//! - **Rules of engine `septet`** are answered from profiles, this version's and those of versions before it. With
//!   no version to compare with the answer is [`Outcome::NoBaseline`], which rejects nothing and is a warning.
//! - **Rules of engine `lambda`** are answered by functions of the publisher's, see [`Checker::functions`]. Who asks
//!   them puts what they said into the [`History`]; a function that was not asked, or did not say yes or no, is
//!   `errored`.
//! - **What is not enforced yet** (formats that Septet does not know, uniqueness of what lies in lists) has results of
//!   outcome [`Outcome::Skipped`] that [`Report::warnings`] lists.
//!
//! # What is exact
//! Counts, ends, sizes, the digest, numbers of different values, buckets of quantiles and samples of keys are the
//! same to the byte in any order and split; means and deviations to 1e-9. Frequent values are within a bound that
//! is kept with them. A profile has no more than [`Profile::within`] allows it, and is then what it would have
//! been had it been as small from the beginning.
//!
//! - **Quantiles** are within 0.8 % of the value of their rank, or what [`Range::within`] says of many different
//!   magnitudes.
//! - **Numbers of different values** have a standard error of 1.6 %, **churn of keys** is exact up to 4,096 keys,
//!   then a sample of as many.
//! - **The stability index** is over ten bins that each hold a tenth of the baseline, of strings over the most
//!   frequent values and the rest; shares are taken as at least 0.0001. **The distance of Kolmogorov and
//!   Smirnov** is looked at where buckets end, so it is too low by at most the share of the fullest bucket.
//! - **The median of versions** is that of those there are, should there be fewer than the rule names.
//!
//! # Samples
//! [`Checker::evaluate_sample`] judges a table of which some segments were read. What is said of each item is
//! checked on those that were read, and passes with the share of all items that may fail it nevertheless. Counts,
//! shares and statistics are intervals that have the truth within them in [`CONFIDENCE`] of 100 samples: a rule passes,
//! or fails, if all of the interval does, and is `errored` where it goes both ways. Duplicates, golden keys and greatest
//! values can only be found on a sample, not ruled out; churn of keys and the content as a whole need all
//! of the table and are always `errored`. As a baseline, a sampled version has shares and statistics, and neither
//! number of items nor keys nor content.
//!
//! # Content digest
//! A digest of a table's content that no order and no split of the items changes. Publishers may compute it,
//! too, and put it into the manifest of their signal, so this is a public format.
//!
//! The digest is the sum, modulo 2^256, of the SHA-256 of every item's encoding, each read as a big-endian
//! number; it is written as 64 lower-case hexadecimal digits. An empty table has 64 zeros. An item is encoded as a
//! map (`M`). A value is one ASCII letter for its type, then its content; lengths and counts are big-endian
//! numbers of four bytes:
//!
//! | type | letter | content |
//! | --- | --- | --- |
//! | `S` | `S` | length in bytes, UTF-8 |
//! | `N` | `N` | length, the number as below in ASCII |
//! | `B` | `B` | length, bytes |
//! | `BOOL` | `T` or `F` | nothing |
//! | `NULL` | `0` | nothing |
//! | `M` | `M` | count; then of each member: length and UTF-8 of the name, the value; sorted by the bytes of the name |
//! | `L` | `L` | count; then the values in their order |
//! | `SS`, `NS`, `BS` | `s`, `n`, `b` | count; then length and content of each as in `S`, `N`, `B`; sorted by the bytes of the content |
//!
//! A number is its significant digits without leading and trailing zeros, an `e` and the power of ten: `1`, `1.0`
//! and `1e0` are all `1e0`, `-0.250` is `-25e-2`, zero is `0e0`. The digest tells different contents apart; it
//! is no proof against someone who seeks two that sum up alike. In Python, of items as boto3's client has them:
//!
//! ```python
//! from decimal import Decimal
//! from hashlib import sha256
//!
//! def sized(b): return len(b).to_bytes(4, "big") + b
//! def number(n):
//!     sign, digits, exponent = Decimal(n).as_tuple()
//!     text = "".join(map(str, digits)).lstrip("0")
//!     short = text.rstrip("0")
//!     power = exponent + len(text) - len(short)
//!     return (("-" if sign else "") + short + f"e{power}").encode() if short else b"0e0"
//! def plain(kind, v): return {"S": lambda: v.encode(), "N": lambda: number(v), "B": lambda: bytes(v)}[kind]()
//! def encode(value):
//!     (kind, v), = value.items()
//!     if kind in ("S", "N", "B"): return kind.encode() + sized(plain(kind, v))
//!     if kind == "BOOL": return b"T" if v else b"F"
//!     if kind == "NULL": return b"0"
//!     if kind == "M": parts = [sized(n) + encode(x) for n, x in sorted((n.encode(), x) for n, x in v.items())]
//!     elif kind == "L": parts = [encode(x) for x in v]
//!     else: parts = [sized(x) for x in sorted(plain(kind[0], x) for x in v)]
//!     letter = kind if kind in "ML" else kind[0].lower()
//!     return letter.encode() + len(parts).to_bytes(4, "big") + b"".join(parts)
//! def digest(items):
//!     hashes = (sha256(encode({"M": item})).digest() for item in items)
//!     return format(sum(int.from_bytes(h, "big") for h in hashes) % 2**256, "064x")
//! ```

mod checker;
mod comparison;
mod compile;
mod constraint;
mod decimal;
mod digest;
mod direct;
mod distance;
mod distinct;
mod evaluate;
mod flat;
mod function;
mod golden;
mod history;
mod json;
mod keeps;
mod literals;
mod plan;
mod profile;
mod report;
mod rules;
mod sample;
#[cfg(test)]
mod samples;
mod size;
mod sketch;
mod statistics;
#[cfg(test)]
mod tests;
mod text_format;
mod value;
mod values;
mod view;

pub use checker::Checker;
pub use comparison::{Bin, Comparison, Counted, Quantile, Side, Span};
pub use distinct::MOST_DISTINCT;
pub use function::{FunctionAnswer, FunctionRule};
pub use history::{Earlier, History};
pub use json::{Malformed, PageEnd, read_page};
pub use profile::Profile;
pub use report::{CheckResult, Example, MOST_REASONS, Outcome, Report};
pub use sample::{CONFIDENCE, Extent, Interval, Sample};
pub use statistics::{Estimate, Frequent, Range, Statistics};
pub use value::{Item, Value};
