//! Why a command could not do its work, and what to do about it.

use std::error::Error as _;
use std::path::PathBuf;

use septet_aws::CallError;
use septet_recovery::sink::Unread;
use septet_registry::{Error as RegistryError, NameError};
use septet_tables::Error as TablesError;

use crate::exit;

/// An error as people read it: what failed, a hint that can be acted on, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) what: String,
    pub(crate) hint: String,
    pub(crate) code: u8,
    /// Whether the hint is to name the datasets that there are.
    pub(crate) lists_datasets: bool,
    /// The file that was not there.
    pub(crate) missing: Option<PathBuf>,
}

impl Failure {
    /// It could not be told, or was asked wrongly.
    pub(crate) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            hint: hint.into(),
            code: exit::UNKNOWN,
            lists_datasets: false,
            missing: None,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\nhint: {}", self.what, self.hint)
    }
}

const CREDENTIALS: &str = "sign in to AWS (AWS_PROFILE, `aws sso login`, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY) and try again";
const LATER: &str = "nothing is half done; try again in a minute";

/// The texts of an error and of all that caused it.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// The hint for a service that refuses the caller, or that could not be reached.
pub(crate) fn of_denial(message: &str) -> String {
    if message.contains("security token") || message.contains("credential") {
        return format!("the credentials are not valid here; {CREDENTIALS}");
    }
    // The action that is missing may be another than the call: a transaction needs those it is made of.
    let action = message.split("to perform: ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let action = action.map_or_else(|| "the action named above".into(), str::to_owned);
    format!("ask for {action}, or for the policy that the stack's output OperatorPolicyArn names")
}

pub(crate) fn of_silence(cause: &str) -> String {
    if cause.to_lowercase().contains("credential") {
        return CREDENTIALS.into();
    }
    "check the network, AWS_REGION and AWS_ENDPOINT_URL; nothing is half done, so try again".into()
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        let hint = match &error {
            RegistryError::Store { source, retryable, .. } => {
                let cause = chain(&**source);
                if *retryable { of_silence(&cause) } else { format!("DynamoDB says: {cause}") }
            }
            RegistryError::Denied { message, .. } => of_denial(message),
            RegistryError::NoTable { .. } => {
                "check AWS_REGION and the account; --registry or SEPTET_REGISTRY_TABLE names the table".into()
            }
            RegistryError::Throttled { .. } | RegistryError::Contended { .. } => LATER.into(),
            RegistryError::NewerFormat { .. } => "install the newest septet; nothing was changed".into(),
            RegistryError::Malformed { .. } => {
                "Septet did not write this item so; restore it from the table's point-in-time backup".into()
            }
            RegistryError::UnknownDataset { .. } => "`septet contract put FILE` makes a dataset".into(),
            RegistryError::UnknownVersion { dataset, .. } => {
                format!("`septet versions {dataset}` lists those there are")
            }
            _ => "run again with RUST_LOG=debug for more".into(),
        };
        let lists_datasets = matches!(error, RegistryError::UnknownDataset { .. });
        // These begin with the name of the call.
        let call = matches!(error, RegistryError::Denied { .. } | RegistryError::Throttled { .. });
        let what = if call { format!("failed to call {error}") } else { format!("failed to {error}") };
        Self { lists_datasets, ..Self::new(what, hint) }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let hint = match &error {
            CallError::Denied { message, .. } => of_denial(message),
            CallError::Refused { .. } => "check AWS_REGION and the account".into(),
            error => of_silence(&error.to_string()),
        };
        Self::new(format!("failed to call {error}"), hint)
    }
}

impl From<Unread> for Failure {
    fn from(error: Unread) -> Self {
        let denied = error.code.contains("AccessDenied");
        let hint = if denied { of_denial(&error.message) } else { LATER.into() };
        Self::new(format!("failed to {error}"), hint)
    }
}

impl From<TablesError> for Failure {
    fn from(error: TablesError) -> Self {
        let hint = match &error {
            TablesError::Denied { message, .. } => of_denial(message),
            TablesError::Unavailable { .. } => {
                let cause = error.source().map(chain).unwrap_or_default();
                of_silence(&cause)
            }
            error if error.is_retryable() => LATER.into(),
            TablesError::SealRoles { .. } => {
                "--seal-roles takes ARNs of IAM roles with commas between them".into()
            }
            _ => "look at the table in the DynamoDB console".into(),
        };
        Self::new(format!("failed to {error}"), hint)
    }
}

impl From<NameError> for Failure {
    fn from(error: NameError) -> Self {
        Self::new(
            format!("failed to read the {}: {:?} is none", error.what, error.text),
            format!("it {}", error.rule),
        )
    }
}
