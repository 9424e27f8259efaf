//! Attributes of a stored item that this program does not know.

use std::fmt;
use std::sync::Arc;

/// The attributes of a stored item as they were read, so that a rewrite keeps those that this program does not know.
///
/// A newer program may have added attributes, or members inside of one. A rewrite stores every attribute whose known
/// content did not change exactly as it was read. Items made by this program carry nothing. What an item carries takes
/// no part in comparisons of items.
#[derive(Clone, Default)]
pub struct Carried(pub(crate) Option<Arc<crate::item::Stored>>);

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Carried(..)" } else { "Carried" })
    }
}

impl PartialEq for Carried {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Carried {}
