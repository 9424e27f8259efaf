//! Giving an id to a seal of Septet 0.1.0.

use septet_registry::SealId;

use super::seal::PolicyPut;
use super::{Current, Tables};
use crate::policy::Plan;
use crate::{Error, NotYet, TableFacts, TakeOver};

impl Tables {
    /// Gives an id to a table that Septet 0.1.0 sealed, whose seals have none.
    ///
    /// Only the table of the same id is touched, only if its policy has exactly the three statements of such a seal,
    /// and nothing but the statement of the id is added. The registry must know that the table was sealed: the
    /// policy alone does not say by which installation.
    pub async fn take_over(&self, table: &TableFacts, id: &SealId) -> Result<TakeOver, Error> {
        let facts = match self.current(&table.name, &table.id).await? {
            Current::Present(facts) => facts,
            Current::Gone { successor } => return Ok(TakeOver::Gone { successor }),
        };
        if let Some(reason) = NotYet::of_status(&facts.status).filter(|reason| *reason != NotYet::Updating) {
            return Ok(TakeOver::NotYet(reason));
        }
        let (text, revision) = self.policy_of(&facts).await?.unzip();
        Ok(match self.seal.plan_take_over(&facts, text.as_deref(), id)? {
            Ok(Plan::Stands) => TakeOver::Taken { changed: false },
            Ok(Plan::Foreign(id)) => TakeOver::Foreign { id },
            Err(flaws) => TakeOver::NotIntact { flaws },
            Ok(Plan::Put(text)) => match self.put_policy(&facts, text, revision).await? {
                PolicyPut::Done => TakeOver::Taken { changed: true },
                PolicyPut::NotYet(reason) => TakeOver::NotYet(reason),
            },
        })
    }
}
