//! Shows a contract that the registry holds.

use septet_registry::{ContractNumber, DatasetName};
use serde_json::{Value, json};

use crate::app::App;
use crate::failure::Failure;
use crate::screen::{Answer, time};

pub(crate) async fn show(
    app: &App,
    dataset: &DatasetName,
    number: Option<ContractNumber>,
) -> Result<Answer, Failure> {
    let known = app.dataset(dataset).await?;
    let number = number.unwrap_or(known.contract);
    let Some(stored) = app.registry.contract(dataset, number).await? else {
        return Err(Failure::new(
            format!("failed to find contract {number} of {dataset}: there is none"),
            format!("the one in force is {}", known.contract),
        ));
    };
    let document: Value = serde_json::from_str(&stored.document).map_err(|error| {
        Failure::new(
            format!("failed to read contract {number} of {dataset}: {error}"),
            "put the contract again",
        )
    })?;
    let mut page = app.screen.facts(vec![
        ("dataset", dataset.to_string()),
        ("contract", format!("{number}{}", if number == known.contract { " (in force)" } else { "" })),
        ("digest", stored.digest.clone()),
        ("put", format!("{} by {}", time(stored.put_at), stored.put_by)),
    ]);
    let pretty = serde_json::to_string_pretty(&document).unwrap_or_default();
    page = format!("{page}\n\n{pretty}");
    Ok(Answer::new(
        json!({
            "dataset": dataset,
            "contract": number,
            "in_force": number == known.contract,
            "digest": stored.digest,
            "put_at": stored.put_at,
            "put_by": stored.put_by,
            "document": document,
        }),
        page,
    ))
}
