//! What a table would not have taken of items in files: those too large, and keys that come twice.

use std::collections::HashSet;

use septet_checks::{CheckResult, Checker, Item, Profile, Value};
use septet_contract::{Contract, KeyAttribute, Number};
use sha2::{Digest, Sha256};

/// Largest item that DynamoDB stores, in bytes.
const LARGEST: u64 = 400 * 1024;

/// What was seen of the items.
pub(super) struct Items {
    pub(super) profile: Profile,
    key: Vec<KeyAttribute>,
    keys: HashSet<[u8; 16]>,
    doubled: u64,
    too_large: u64,
}

impl Items {
    pub(super) fn new(contract: &Contract, profile: Profile) -> Self {
        let key = &contract.object().key;
        let key = std::iter::once(&key.partition).chain(&key.sort).cloned().collect();
        Self { profile, key, keys: HashSet::new(), doubled: 0, too_large: 0 }
    }

    pub(super) fn take(&mut self, checker: &Checker, item: &Item) {
        let before = self.profile.bytes();
        checker.observe(&mut self.profile, item);
        self.too_large += u64::from(self.profile.bytes() - before > LARGEST);
        if let Some(key) = self.key_of(item) {
            self.doubled += u64::from(!self.keys.insert(key));
        }
    }

    /// Tells keys apart as DynamoDB does; an item without its key has none.
    fn key_of(&self, item: &Item) -> Option<[u8; 16]> {
        let mut hash = Sha256::new();
        for part in &self.key {
            let number;
            let bytes = match item.get(&part.attribute)? {
                Value::S(text) => text.as_bytes(),
                Value::B(bytes) => bytes,
                Value::N(text) => {
                    number = Number::parse(text).ok()?.to_string();
                    number.as_bytes()
                }
                _ => return None,
            };
            hash.update(bytes.len().to_be_bytes());
            hash.update(bytes);
        }
        hash.finalize().first_chunk().copied()
    }

    /// What would not have become of them, had they been put into a table.
    pub(super) fn results(&self) -> Vec<CheckResult> {
        let names: Vec<_> = self.key.iter().map(|it| it.attribute.as_str()).collect();
        let doubled = format!(
            "{} items have the {} of another, and would overwrite it",
            self.doubled,
            names.join(" and ")
        );
        let large =
            format!("{} items are larger than the {LARGEST} bytes that DynamoDB takes", self.too_large);
        let of = self.profile.items();
        vec![
            CheckResult::of_table("uniqueKeys", self.doubled, of, "no key twice", &doubled),
            CheckResult::of_table(
                "itemSize",
                self.too_large,
                of,
                &format!("at most {LARGEST} bytes"),
                &large,
            ),
        ]
    }
}
