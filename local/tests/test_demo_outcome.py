"""What must hold of the demo, and that it is noticed when it does not."""

import copy

import pytest
from demo_outcome import failings, page

GOOD = [1, 2, 3, 5, 7, 8, 9, 10, 11]
REASONS = {
    4: "recs[].score: type S, not N, in 671 of 671 items",
    6: "rowCount is 335, not between 600 and 700",
}


def table(number):
    return f"recs-2026-11-{10 + number}"


def state(number):
    return "rejected" if number in REASONS else "deleted" if number < 2 else "valid"


def move(number, action="promote"):
    return {
        "at": "2026-11-11T02:00:00Z", "until": None, "version": number, "table": table(number),
        "action": action, "by": "on-publish", "reason": "it passed",
    }  # fmt: skip


def record(number, action):
    fields = dict.fromkeys(["at", "actor", "action", "version", "pointer", "before", "after", "reason"])
    return {**fields, "version": number, "action": action}


OUTCOME = {
    "nights": [
        {"night": n, "table": table(n), "items": 335 if n == 6 else 671, "exit_code": 1 if n in REASONS else 0}
        for n in range(1, 12)
    ],
    "versions": [
        {
            "version": n, "table": table(n), "state": state(n),
            "verdict": "failed" if n in REASONS else "passed", "reason": REASONS.get(n),
            "withdrawn": "listeners complain" if n == 11 else None,
        }
        for n in range(1, 12)
    ],
    "live_history": [*map(move, GOOD), move(10, "roll_back")],
    "log": [
        record(n, action)
        for n in range(1, 12)
        for action in ("announce", "seal", "check", "reject" if n in REASONS else "pass")
    ],
    "reader": {"reads": 9000, "failed": 0, "versions_seen": [1, 3, 5, 10, 11]},
    "rollback": {"from": 11, "to": 10, "poll_seconds": 2, "reached_reader_seconds": 1.4},
    "retired_under_hold": [],
    "tables": [table(n) for n in range(2, 12)],
    "direct_writes": [
        {"table": table(n), "call": "PutItem", "answer": "AccessDeniedException"} for n in range(2, 12)
    ],
    "recovery": {
        "events": 2000, "lost": 900, "recovered": 900, "missing": 0, "unexpected": 0, "doubled": 12, "windows": 97,
        "suspect": 0, "workers_killed": 4, "alarm_after_hours": 6, "seconds": 21.5,
    },
    "timings": {"total": 61.2},
}  # fmt: skip


def test_nothing_fails_when_all_holds():
    assert failings(OUTCOME) == []


def changed(path, value):
    outcome = copy.deepcopy(OUTCOME)
    *way, last = path
    place = outcome
    for step in way:
        place = place[step]
    place[last] = value
    return outcome


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["versions", 0, "table"], "recs-other", "should be one version, in order"),
        (["versions"], OUTCOME["versions"][:10], "should be one version, in order"),
        (["versions", 1, "verdict"], "errored", "night 2 (recs-2026-11-12) should have passed"),
        (["versions", 3, "state"], "valid", "night 4 (recs-2026-11-14) should be rejected"),
        (["versions", 5, "verdict"], "errored", "night 6 (recs-2026-11-16) should be rejected"),
        (["versions", 3, "reason"], "items are broken", "does not say score nor N"),
        (["versions", 5, "reason"], "rowCount is too low", "does not say 335"),
        (["versions", 5, "reason"], "335 items are too few", "does not say rowCount"),
        (["nights", 3, "exit_code"], 0, "the job of night 4 ended with exit code 0"),
        (["nights", 8, "exit_code"], 2, "the job of night 9 ended with exit code 2"),
        (["live_history", 3], move(4), "live should have gone"),
        (["live_history"], OUTCOME["live_history"][:-1], "live should have gone"),
        (["reader", "reads"], 0, "read nothing"),
        (["reader", "failed"], 1, "1 of 9000 reads failed"),
        (["reader", "versions_seen"], [4, 10, 11], "never were live: [4]"),
        (["reader", "versions_seen"], [1, 11], "never saw [10]"),
        (["rollback", "reached_reader_seconds"], 2.8, "reached the reader after 2.8 s"),
        (["versions", 2, "state"], "deleted", "7 good versions should remain, but 6"),
        (["versions", 0, "state"], "valid", "7 good versions should remain, but 8"),
        (["versions", 10, "withdrawn"], None, "7 good versions should remain, but 8"),
        (["versions", 9, "withdrawn"], "bad", "version 11 alone should be withdrawn"),
        (["retired_under_hold"], [1], "versions [1] were retired while the rollback's hold was in force"),
        (["tables"], [table(n) for n in range(1, 12)], "DynamoDB lists"),
        (["tables"], [table(n) for n in range(2, 11)], "DynamoDB lists"),
        (["direct_writes", 3, "answer"], "done", "PutItem on the sealed recs-2026-11-15 was answered done"),
        (["direct_writes"], OUTCOME["direct_writes"][1:], "no direct write was tried on ['recs-2026-11-12']"),
        (["log"], OUTCOME["log"][1:], "version 1 has 0 audit records of announce"),
        (["log"], [*OUTCOME["log"], record(5, "pass")], "version 5 has 2 audit records of pass"),
        (["recovery", "lost"], 0, "lost nothing"),
        (["recovery", "recovered"], 899, "899 of 900 lost records came back"),
        (["recovery", "missing"], 1, "1 missing"),
        (["recovery", "unexpected"], 2, "2 unexpected"),
        (["recovery", "suspect"], 3, "3 suspect"),
        (["recovery", "workers_killed"], 0, "no worker was killed"),
        (["recovery", "doubled"], 401, "401 records came twice"),
    ],
)
def test_what_does_not_hold_is_said(path, value, said):
    assert said in "\n".join(failings(changed(path, value)))


def test_a_night_signalled_by_queue_has_no_exit_code_to_judge():
    assert failings(changed(["nights", 3, "exit_code"], None)) == []


def test_an_act_that_was_not_played_is_not_judged():
    recovery = {"recovery": OUTCOME["recovery"], "timings": OUTCOME["timings"]}
    assert failings(recovery) == []
    assert "900 records lost" in page(recovery) and "Versions" not in page(recovery)
    assert failings({"timings": {}}) == ["no act was played"]


def test_the_page_shows_versions_history_log_reader_and_timings():
    text = page(OUTCOME)
    assert "  4        recs-2026-11-14  rejected   failed   recs[].score: type S, not N, in 671 of 671 items\n" in text
    assert "  2026-11-11T02:00:00Z  now    10       recs-2026-11-20  roll_back, on-publish  it passed\n" in text
    assert "Reader: 9000 reads, 0 failed, versions seen [1, 3, 5, 10, 11]\n" in text
    assert "10 of 10 refused by DynamoDB" in text
    assert text.endswith("Timings: total 61.2 s")


def test_a_long_reason_is_cut_on_the_page():
    assert f"{'x' * 89}…\n" in page(changed(["versions", 3, "reason"], "x" * 91))
