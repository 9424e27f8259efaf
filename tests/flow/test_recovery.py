"""Four lost days come back from a real third party, whatever happens to those who bring them."""

import json
import time
from collections import Counter

from feed import FIRST, LAST, ODD, ODD_RECORDS, SHORT, SHORT_RECORDS, Feed, lost, plays, seconds
from trouble import Trouble
from waiting import until

HOURS = 96
PAGE = 40
KILLS = 6
# A page that landed and is not written down, one that is written down and nobody knows, and what lies between.
POINTS = [
    ("SendMessageBatch", "after"),
    ("PutItem", "after"),
    ("SendMessageBatch", "before"),
    ("PutItem", "before"),
    ("GetItem", "before"),
]


class Killed(Trouble):
    """Kills a worker every second, doubles messages, and sweeps as the schedule does."""

    def __init__(self, cloud, feeds: list[Feed]) -> None:
        super().__init__()
        self.cloud, self.feeds, self.kills = cloud, feeds, 0

    def cause(self) -> None:
        self.cloud.aws.fire_schedule(self.cloud.outputs["RecoverySweepSchedule"])
        for feed in self.feeds:
            self.cloud.send({"feed": feed.name, "run": feed.run_id, "lane": 0}, self.cloud.recovery_queue)
        if self.kills < KILLS:
            action, when = POINTS[self.kills % len(POINTS)]
            fault = self.cloud.aws.kill(self.cloud.backfill, action, when)
            while not self.cloud.aws.fired(fault) and not self.over(0.1):
                pass
            self.kills += len(self.cloud.aws.fired(fault))


def test_nothing_is_missing_though_workers_are_killed_messages_doubled_and_answers_lost(cloud, party, tmp_path):
    paginator = {**party.feed("plays", name="plays")["paginator"], "limit": PAGE}
    queue = Feed(cloud, party, tmp_path).put(paginator=paginator)
    table = Feed(cloud, party, tmp_path).put_into_table(paginator=paginator)
    for feed in (queue, table):
        # By a message and doubled, as another program would ask for it.
        for _ in range(2):
            cloud.send(feed.range(FIRST, LAST), cloud.recovery_queue, cloud.operator)
        feed.run_id = until("the run is started", feed.run)["run"]
    mine = {"function": cloud.backfill}
    registry = {"match": cloud.registry_table, **mine}
    faults = {
        cloud.aws.fail("PutItem", "InternalServerError", when="after", status=500, times=3, **mine): 3,
        cloud.aws.fail("PutItem", "ThrottlingException", times=5, skip=20, **registry): 5,
        cloud.aws.fail("GetItem", "ProvisionedThroughputExceededException", times=5, skip=40, **registry): 5,
        # Calls that succeed, with messages that the queue did not take by no fault of ours.
        cloud.aws.fail_part("SendMessageBatch", 3, times=8, skip=4, match=queue.queue, **mine): 8,
    }
    with Killed(cloud, [queue, table]) as trouble:
        assert [feed.until_over(240) for feed in (queue, table)] == ["succeeded", "succeeded"]
    assert trouble.kills == KILLS
    assert {fault: len(cloud.aws.fired(fault)) for fault in faults} == faults

    truth, injected = lost(), queue.injected()
    assert {record["id"]: record for record, _ in injected} == truth
    assert all(truth[record["id"]] == record for record, _ in injected), "a body is not what the source has"
    assert all(attributes["septet.record_id"] == str(record["id"]) for record, attributes in injected)
    assert {attributes["septet.run"] for _, attributes in injected} == {queue.run_id}
    assert len(injected) - len(truth) <= KILLS * PAGE, "more than a page for each kill is doubled"
    assert {
        int(record["id"]): {**record, "id": int(record["id"]), "at": int(record["at"])} for record in table.stored()
    } == truth
    for feed in (queue, table):
        assert_the_ledger_is_true(feed)
    assert cloud.take(cloud.recovery_dead_letters) == []


def assert_the_ledger_is_true(feed: Feed) -> None:
    """The windows are those of the range, done, with the counts that the source has; one start is on record."""
    windows, truth = feed.windows(), lost().values()
    assert len(windows) == HOURS
    hours = Counter((play["at"] - seconds(FIRST)) // 3600 for play in truth)
    for window in windows:
        assert (window["state"], window["lease"]) == ("done", None)
        assert window["progress"]["found"]["count"] == hours[window["index"]], window
    assert sum(window["progress"]["counts"]["injected"] for window in windows) == len(truth)
    actions = Counter(record["action"] for record in feed.records())
    assert (actions["start"], actions["suspect"], actions["fail"]) == (1, 0, 0), actions


def test_a_range_that_cannot_be_followed_is_kept_with_field_and_reason_and_holds_up_no_other(cloud, feed):
    feed.put()
    malformed = json.dumps(feed.range("yesterday", LAST))
    cloud.send(malformed, cloud.recovery_queue, cloud.operator)
    cloud.send(feed.range(*SHORT), cloud.recovery_queue, cloud.operator)
    assert feed.until_over() == "succeeded"
    assert len(feed.injected()) == SHORT_RECORDS

    def letters():
        answer = cloud.sqs.receive_message(QueueUrl=cloud.recovery_dead_letters, MessageAttributeNames=["All"])
        return answer.get("Messages")

    (letter,) = until("it is in the dead letters", letters)
    cloud.sqs.delete_message(QueueUrl=cloud.recovery_dead_letters, ReceiptHandle=letter["ReceiptHandle"])
    reason = letter["MessageAttributes"]["septet.refused"]["StringValue"]
    assert letter["Body"] == malformed
    assert 'from: "yesterday" is no time' in reason and "write a time" in reason, reason
    (refused,) = [record for record in feed.records() if record["action"] == "refuse"]
    assert refused["reason"] == reason


def looked_at(cloud, *arguments) -> list[dict]:
    """What the septet command says of the dead letters."""
    return json.loads(cloud.septet("backfill", *arguments, "--json").stdout)["letters"]


def until_handled(cloud, dead: int) -> None:
    """Waits until nothing is on the recovery queue, and so many letters are in its dead letters."""

    def handled() -> bool:
        return cloud.waiting(cloud.recovery_queue) == 0 and cloud.waiting(cloud.recovery_dead_letters) == dead

    until(f"messages are handled and {dead} dead letters are left", handled)


def test_dead_letters_are_shown_with_reasons_and_come_in_exactly_once_when_the_sink_is_mended(cloud, feed):
    cloud.take(cloud.recovery_dead_letters)
    feed.put_into_table(version_attribute="user")
    malformed = json.dumps(feed.range("yesterday", LAST))
    cloud.send(malformed, cloud.recovery_queue, cloud.operator)
    cloud.send(feed.range(*ODD), cloud.recovery_queue, cloud.operator)
    assert feed.until_over() == "succeeded"
    until_handled(cloud, 2)
    assert len(feed.stored()) == ODD_RECORDS - 1
    (window,) = feed.windows()
    assert (window["progress"]["counts"]["injected"], window["progress"]["counts"]["poison"]) == (ODD_RECORDS - 1, 1)

    reasons = {letter["kind"]: letter["reason"] for letter in looked_at(cloud, "letters")}
    assert reasons.keys() == {"record", "range"}
    assert reasons["record"] == "it has no text or number user"
    assert 'from: "yesterday" is no time' in reasons["range"], reasons
    # Moved back as it is, the record finds the sink as it was.
    cloud.septet("backfill", "redrive", "--yes")
    until_handled(cloud, 2)
    assert {letter["kind"]: letter["reason"] for letter in looked_at(cloud, "letters")} == reasons

    feed.put()
    comes_to = {one["letter"]["kind"]: one["outlook"]["comes_to"] for one in looked_at(cloud, "redrive", "--plan")}
    assert comes_to == {"record": "work", "range": "back"}
    moved = cloud.septet("backfill", "redrive", "--rate", "50", "--yes")
    assert "2 letters are back on the recovery queue" in moved.stdout
    until_handled(cloud, 1)
    ((record, attributes),) = feed.injected()
    assert record == plays()[-1]
    assert (attributes["septet.record_id"], attributes["septet.run"]) == (str(record["id"]), feed.run()["run"])
    (window,) = feed.windows()
    assert (window["progress"]["counts"]["injected"], window["progress"]["counts"]["poison"]) == (ODD_RECORDS, 0)
    actions = Counter(record["action"] for record in feed.records())
    assert (actions["redrive"], actions["inject"], actions["start"]) == (2, 1, 1), actions
    assert cloud.take(cloud.recovery_dead_letters) == [malformed]


def test_dead_letters_of_a_cancelled_run_do_nothing_when_they_are_moved_back(cloud, feed):
    cloud.take(cloud.recovery_dead_letters)
    feed.put_into_table(version_attribute="user")
    feed.start(ODD[0], LAST, "--rate", "2", "--concurrency", "1")
    until("a record is in the dead letters", lambda: cloud.waiting(cloud.recovery_dead_letters) == 1)
    feed.order("cancel")
    until("nobody works any more", lambda: feed.state() == "cancelled")
    windows = feed.windows()
    # What ends there when a handler fails again and again: the order, and the range.
    for body in ({"feed": feed.name, "run": feed.run_id, "lane": 0}, feed.range(ODD[0], LAST, rate=2, concurrency=1)):
        cloud.sqs.send_message(QueueUrl=cloud.recovery_dead_letters, MessageBody=json.dumps(body))

    feed.put()
    planned = looked_at(cloud, "redrive", "--plan")
    assert sorted(one["letter"]["kind"] for one in planned) == ["order", "range", "record"]
    assert {one["outlook"]["comes_to"] for one in planned} == {"nothing"}, planned
    cloud.septet("backfill", "redrive", "--yes")
    until_handled(cloud, 0)
    cloud.aws.fire_schedule(cloud.outputs["RecoverySweepSchedule"])
    assert (feed.state(), feed.windows(), feed.injected()) == ("cancelled", windows, [])
    assert Counter(record["action"] for record in feed.records())["inject"] == 0


def test_thousands_of_windows_start_at_once_within_the_concurrency_and_a_cancelled_run_stays_so(cloud, feed):
    feed.put()
    began = time.monotonic()
    feed.start(FIRST, LAST, "--step", "1m", "--concurrency", "3")
    until("windows are read", lambda: [window for window in feed.windows() if window["state"] == "running"], 10)
    assert time.monotonic() - began < 10
    assert feed.run()["windows"] == 4 * 24 * 60
    most = 0
    while len(feed.windows()) < 60:
        most = max(most, sum(window["state"] == "running" for window in feed.windows()))
    assert most == 3

    feed.order("cancel")
    until("nobody works any more", lambda: feed.state() == "cancelled")
    windows, injected = feed.windows(), len(feed.injected())
    assert injected == sum(window["progress"]["counts"]["injected"] for window in windows)
    # What a redrive of dead letters brings back: the range, and orders for its lanes.
    cloud.send(feed.range(FIRST, LAST, step="1m", concurrency=3), cloud.recovery_queue, cloud.operator)
    for lane in range(3):
        cloud.send({"feed": feed.name, "run": feed.run_id, "lane": lane}, cloud.recovery_queue, cloud.operator)
    until("the messages are handled", lambda: cloud.waiting(cloud.recovery_queue) == 0)
    cloud.aws.fire_schedule(cloud.outputs["RecoverySweepSchedule"])
    assert (feed.state(), feed.windows(), feed.injected()) == ("cancelled", windows, [])


def test_a_run_that_goes_on_under_other_parameters_repeats_nothing_that_is_done(cloud, party, tmp_path):
    # A window is one page, so that a pause leaves none half read.
    paginator = {**party.feed("plays", name="plays")["paginator"], "limit": 500}
    feed = Feed(cloud, party, tmp_path).put(paginator=paginator)
    feed.start(FIRST, LAST, "--rate", "20", "--concurrency", "2")
    until("windows are done", lambda: len(feed.windows()) > 10)
    feed.order("pause")
    until("it is paused", lambda: feed.state() == "paused")
    done = {window["index"]: window for window in feed.windows() if window["state"] == "done"}
    assert 10 <= len(done) < HOURS
    feed.order("set", "--rate", "900", "--concurrency", "4")
    feed.order("retry", "--page-size", "30")
    assert feed.until_over() == "succeeded"
    after = {window["index"]: window for window in feed.windows()}
    assert {index: after[index] for index in done} == done
    assert {window["generation"] for index, window in after.items() if index not in done} == {2}
    found = Counter(record["id"] for record, _ in feed.injected())
    assert found == Counter(lost().keys())
    refused = cloud.septet("backfill", "retry", feed.name, feed.run_id, "--reason", "a test asks", code=1)
    assert "cannot be retried" in refused.stderr
