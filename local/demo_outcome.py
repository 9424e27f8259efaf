"""What a run of the demo came to: what must hold of it, and how it is shown."""

# What the data science job does each night; every other night it does what it should.
FAULTS = {4: "schema", 6: "half"}
NIGHTS = 11
KEPT = 7
# A reader spreads its looks: one interval may be longer than the pointer item says by this share.
POLL_JITTER = 0.1
# From the end of a look until its heartbeat is in the registry, on a busy machine.
SLACK_SECONDS = 0.5
# Rows of a page of the third party that the second act asks.
PAGE = 100


def failings(outcome):
    """Says in words what does not hold of an outcome, of the acts that were played; empty when all does."""
    acts = [
        *(ACT_OF_NIGHTS if "nights" in outcome else ()),
        *((_failings_of_recovery,) if "recovery" in outcome else ()),
    ]
    return [text for act in acts for text in act(outcome)] if acts else ["no act was played"]


def _failings_of_versions(outcome):
    tables = [version["table"] for version in outcome["versions"]]
    expected = [night["table"] for night in outcome["nights"]]
    if tables != expected or len(tables) != NIGHTS:
        yield f"each of the {NIGHTS} nights should be one version, in order: {expected}, but the registry has {tables}"
        return
    for night, version in zip(outcome["nights"], outcome["versions"]):
        name = f"night {night['night']} ({version['table']})"
        reason = version["reason"] or ""
        fault = FAULTS.get(night["night"])
        if fault is None:
            if version["verdict"] != "passed":
                yield f"{name} should have passed, but is {version['state']}: {reason}"
            continue
        if (version["state"], version["verdict"]) != ("rejected", "failed"):
            yield f"{name} should be rejected, but is {version['state']} with verdict {version['verdict']}"
        # The attribute and the type that its rule asks for; or the count that was found and the metric.
        words = ["score", "N"] if fault == "schema" else [str(night["items"]), "rowCount"]
        missing = [word for word in words if word not in reason]
        if missing:
            yield f"the reason of {name} does not say {' nor '.join(missing)}: {reason!r}"
    for night in outcome["nights"]:
        if night["exit_code"] is not None and night["exit_code"] != (1 if night["night"] in FAULTS else 0):
            yield f"the job of night {night['night']} ended with exit code {night['exit_code']}"


def _failings_of_history(outcome):
    good = [number for number in range(1, NIGHTS + 1) if number not in FAULTS]
    expected = [*good, good[-2]]
    went = [entry["version"] for entry in outcome["live_history"]]
    if went != expected:
        yield f"live should have gone {expected}, but went {went}"


def _failings_of_reader(outcome):
    reader, rollback = outcome["reader"], outcome["rollback"]
    if reader["reads"] == 0:
        yield "the reader read nothing"
    if reader["failed"]:
        yield f"{reader['failed']} of {reader['reads']} reads failed"
    live = {entry["version"] for entry in outcome["live_history"]}
    if strange := sorted(set(reader["versions_seen"]) - live):
        yield f"the reader saw versions that never were live: {strange}"
    if unseen := {rollback["from"], rollback["to"]} - set(reader["versions_seen"]):
        yield f"the reader never saw {sorted(unseen)}"
    allowed = rollback["poll_seconds"] * (1 + POLL_JITTER) + SLACK_SECONDS
    if rollback["reached_reader_seconds"] > allowed:
        yield f"the rollback reached the reader after {rollback['reached_reader_seconds']} s, later than {allowed} s"


def _failings_of_retention(outcome):
    valid = [version for version in outcome["versions"] if version["state"] == "valid"]
    good = [version["version"] for version in valid if not version["withdrawn"]]
    if len(good) != KEPT:
        yield f"{KEPT} good versions should remain, but {len(good)} do: {good}"
    withdrawn = [version["version"] for version in valid if version["withdrawn"]]
    if withdrawn != [outcome["rollback"]["from"]]:
        yield f"version {outcome['rollback']['from']} alone should be withdrawn, but {withdrawn} are"
    if outcome["retired_under_hold"]:
        yield f"versions {outcome['retired_under_hold']} were retired while the rollback's hold was in force"
    due = {version["table"] for version in outcome["versions"] if version["state"] in ("valid", "rejected")}
    if set(outcome["tables"]) != due:
        yield f"the dataset tables should be {sorted(due)}, but DynamoDB lists {sorted(outcome['tables'])}"


def _failings_of_seals(outcome):
    untried = set(outcome["tables"]) - {attempt["table"] for attempt in outcome["direct_writes"]}
    if untried:
        yield f"no direct write was tried on {sorted(untried)}"
    for attempt in outcome["direct_writes"]:
        if attempt["answer"] != "AccessDeniedException":
            yield f"{attempt['call']} on the sealed {attempt['table']} was answered {attempt['answer']}"


def _failings_of_log(outcome):
    for version in outcome["versions"]:
        actions = [record["action"] for record in outcome["log"] if record["version"] == version["version"]]
        end = "reject" if version["verdict"] == "failed" else "pass"
        for action in ("announce", "seal", "check", end):
            if actions.count(action) != 1:
                yield f"version {version['version']} has {actions.count(action)} audit records of {action}, not one"


ACT_OF_NIGHTS = (
    _failings_of_versions,
    _failings_of_history,
    _failings_of_reader,
    _failings_of_retention,
    _failings_of_seals,
    _failings_of_log,
)


def _failings_of_recovery(outcome):
    recovery = outcome["recovery"]
    if recovery["lost"] == 0:
        yield "the live feed lost nothing"
    if recovery["recovered"] != recovery["lost"]:
        yield f"{recovery['recovered']} of {recovery['lost']} lost records came back"
    for what in ("missing", "unexpected", "suspect"):
        if recovery[what]:
            yield f"{recovery[what]} {what}: the consumer's table is not what it would have been"
    if recovery["workers_killed"] == 0:
        yield "no worker was killed"
    if recovery["doubled"] > recovery["workers_killed"] * PAGE:
        yield f"{recovery['doubled']} records came twice, more than a page for each worker that was killed"


def page(outcome):
    """An outcome as text for people."""
    timings = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in outcome["timings"].items())
    acts = [
        *([_page_of_nights(outcome)] if "nights" in outcome else []),
        *([_page_of_recovery(outcome["recovery"])] if "recovery" in outcome else []),
    ]
    return "\n\n".join([*acts, f"Timings: {timings}"])


def _page_of_recovery(recovery):
    return (
        f"Recovery: {recovery['lost']} records lost in four days, noticed after {recovery['alarm_after_hours']} hours; "
        f"{recovery['recovered']} recovered in {recovery['seconds']:.1f} s with {recovery['workers_killed']} workers "
        f"killed\nThe consumer's table: {recovery['missing']} missing, {recovery['unexpected']} unexpected of "
        f"{recovery['events']}; {recovery['doubled']} came twice; {recovery['windows']} windows, "
        f"{recovery['suspect']} suspect"
    )


def _page_of_nights(outcome):
    reader, rollback = outcome["reader"], outcome["rollback"]
    refused = sum(attempt["answer"] == "AccessDeniedException" for attempt in outcome["direct_writes"])
    return "\n".join(
        [
            "Versions",
            _columns(
                ["version", "table", "state", "verdict", "reason"],
                [
                    [v["version"], v["table"], "withdrawn" if v["withdrawn"] else v["state"], v["verdict"], v["reason"]]
                    for v in outcome["versions"]
                ],
            ),
            "",
            "What was live when",
            _columns(
                ["from", "until", "version", "table", "by", "reason"],
                [
                    [e["at"], e["until"] or "now", e["version"], e["table"], f"{e['action']}, {e['by']}", e["reason"]]
                    for e in outcome["live_history"]
                ],
            ),
            "",
            "Audit log",
            _columns(
                ["at", "action", "version", "before", "after", "by", "reason"],
                [
                    [r["at"], r["action"], r["version"], r["before"], r["after"], r["actor"], r["reason"]]
                    for r in outcome["log"]
                ],
            ),
            "",
            f"Reader: {reader['reads']} reads, {reader['failed']} failed, versions seen {reader['versions_seen']}",
            f"Rollback from {rollback['from']} to {rollback['to']}: reached the reader after "
            f"{rollback['reached_reader_seconds']:.2f} s (it polls every {rollback['poll_seconds']} s)",
            f"Direct writes to sealed tables: {refused} of {len(outcome['direct_writes'])} refused by DynamoDB",
        ]
    )


def _columns(head, rows):
    cells = [[_cell(value) for value in row] for row in [head, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return "\n".join("  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)


def _cell(value):
    text = "-" if value is None else str(value)
    return text if len(text) <= 90 else text[:89] + "…"
