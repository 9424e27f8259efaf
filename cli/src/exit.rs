//! The exit codes of `septet`, for scripts to rely on.

/// It was done, or had been done before; the answer is yes.
pub(crate) const DONE: u8 = 0;
/// The answer is no: a version was rejected, a contract has errors, a move is refused or was declined.
pub(crate) const NO: u8 = 1;
/// It could not be told, or the command was used wrongly; nothing was changed unless the text says otherwise.
pub(crate) const UNKNOWN: u8 = 2;

/// As the help shows them.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done, or done before
  1  the answer is no: rejected, refused, declined
  2  could not tell, or wrong use";
