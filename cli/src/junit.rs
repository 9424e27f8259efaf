//! Reports as JUnit XML, which Jenkins, GitLab and others show.

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use septet_checks::{CheckResult, Outcome};
use septet_contract::Severity;

use crate::failure::Failure;

/// A test case for each check. What does not reject a version is skipped here, with its message, and fails nothing.
pub(crate) fn of_results(dataset: &str, results: &[CheckResult]) -> Result<String, Failure> {
    let mut suite = TestSuite::new(dataset);
    for result in results {
        let mut case = TestCase::new(&result.id, status(result));
        case.set_classname(dataset);
        suite.add_test_case(case);
    }
    let mut junit = quick_junit::Report::new("septet check");
    junit.add_test_suite(suite);
    junit.to_string().map_err(|error| {
        Failure::new(format!("failed to write the JUnit report: {error}"), "run again without --junit")
    })
}

fn status(result: &CheckResult) -> TestCaseStatus {
    let mut status = match (result.outcome, result.severity) {
        (Outcome::Passed, _) => return TestCaseStatus::success(),
        (Outcome::Failed, Severity::Error) => TestCaseStatus::non_success(NonSuccessKind::Failure),
        (Outcome::Errored, Severity::Error) => TestCaseStatus::non_success(NonSuccessKind::Error),
        _ => TestCaseStatus::skipped(),
    };
    status.set_message(&result.message);
    status.set_type(&result.rule);
    let examples = result.examples.iter().map(|it| format!("{} {} {}", it.key, it.at, it.value));
    let examples: Vec<_> = examples.collect();
    if !examples.is_empty() {
        status.set_description(examples.join("\n"));
    }
    status
}
