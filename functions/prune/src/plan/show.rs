//! Plans and steps as log lines and people read them.

use std::fmt;

use super::{LiveTableGone, Plan, Step};

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let other = |replaced: bool| if replaced { ", and another table has its name" } else { "" };
        match self {
            Self::Remind { table, version: None, why } => write!(f, "remind {table}: {}", why.reason()),
            Self::Remind { table, version: Some(version), why } => {
                write!(f, "remind {table} (version {version}): {}", why.reason())
            }
            Self::Lose { version, table, replaced } => {
                write!(f, "lose {version} {table}: its table vanished{}", other(*replaced))
            }
            Self::Abandon { version, table, deadline } => {
                write!(f, "abandon {version} {table}: not complete by {deadline}")
            }
            Self::Retire { version, table, reason } => write!(f, "retire {version} {table}: {reason}"),
            Self::Confirm { version, table, .. } => {
                write!(f, "confirm {version} {table}: it is being deleted")
            }
            Self::Delete { version, table, id, .. } => write!(f, "delete {version} {table}: table id {id}"),
        }
    }
}

impl fmt::Display for LiveTableGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.pointers.iter().map(|name| name.as_str()).collect();
        let names = names.join(", ");
        write!(f, "version {} is named by {names}, and its table {} vanished", self.version, self.table)?;
        if self.replaced {
            f.write_str("; another table has its name")?;
        }
        Ok(())
    }
}

/// The steps, then what the retention plan says.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} steps", self.dataset, self.steps.len())?;
        for gone in &self.live_table_gone {
            write!(f, "\n  alarm: {gone}")?;
        }
        for step in &self.steps {
            write!(f, "\n  {step}")?;
        }
        for skip in &self.skips {
            write!(f, "\n  skip {}: {}", skip.table, skip.reason)?;
        }
        for older in &self.older {
            write!(f, "\n  older than the contract: {}, created {}", older.table, older.created_at)?;
        }
        write!(f, "\nretention of {}", self.retention)
    }
}
