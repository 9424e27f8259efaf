"""The data science job of the demo: what it computes, writes, signals, and how it goes wrong when told to."""

import datetime
import json

import ds_job
import numpy
import pandas
import pytest

DAY = datetime.date(2026, 11, 21)


@pytest.fixture(scope="module")
def ratings():
    return ds_job.load_ratings()


@pytest.fixture(scope="module")
def items(ratings):
    return ds_job.build_items(ratings, DAY)


def made_up_ratings(rows):
    return pandas.DataFrame(rows, columns=["userId", "movieId", "rating"]).assign(timestamp=0)


class Tables:
    """Takes batch writes and leaves the given numbers of items unprocessed, call by call."""

    def __init__(self, unprocessed=()):
        self.unprocessed = list(unprocessed)
        self.calls, self.written = 0, []

    def batch_write_item(self, RequestItems):
        [(table, requests)] = RequestItems.items()
        assert len(requests) <= 25
        self.calls += 1
        left = self.unprocessed.pop(0) if self.unprocessed else 0
        taken, kept = requests[: len(requests) - left], requests[len(requests) - left :]
        self.written += [request["PutRequest"]["Item"]["user_id"]["S"] for request in taken]
        return {"UnprocessedItems": {table: kept} if kept else {}}


def test_a_film_liked_by_those_with_the_same_taste_comes_first():
    # Users 1 to 6 like films 10 and 11, users 11 to 16 like 20 and 21; 7 likes 10 alone and 17 likes 20 alone.
    rows = [(user, film, 5.0) for user in range(1, 7) for film in (10, 11)]
    rows += [(user, film, 5.0) for user in range(11, 17) for film in (20, 21)]
    rows += [(7, 10, 4.0), (17, 20, 4.0)]
    found = dict(ds_job.recommend(made_up_ratings(rows)))
    assert [film for film, _ in found[7]] == [11]
    assert [film for film, _ in found[17]] == [21]


def test_who_liked_nothing_yet_gets_what_most_like():
    rows = [(user, 10, 5.0) for user in range(1, 8)] + [(user, 20, 5.0) for user in range(1, 6)]
    rows += [(99, 30, 1.0)]
    assert dict(ds_job.recommend(made_up_ratings(rows)))[99] == [(10, pytest.approx(7 / 8)), (20, pytest.approx(5 / 8))]


def test_nobody_is_recommended_a_film_he_has_rated(ratings):
    rated = set(zip(ratings["userId"].tolist(), ratings["movieId"].tolist()))
    for user, found in ds_job.recommend(ratings):
        assert not [film for film, _ in found if (user, film) in rated]


def test_what_users_liked_later_is_recommended_far_more_often_than_by_chance(ratings):
    before = ratings["timestamp"] < ratings["timestamp"].quantile(0.8)
    past, future = ratings[before], ratings[~before]
    liked = future[future["rating"] >= 4].groupby("userId")["movieId"].agg(set).to_dict()
    known = past["movieId"].value_counts()
    candidates = known[known >= 5].index.to_numpy()
    chance = numpy.random.default_rng(1)
    hits = of_chance = users = 0
    for user, found in ds_job.recommend(past):
        if user in liked:
            users += 1
            hits += len(liked[user] & {film for film, _ in found})
            of_chance += len(liked[user] & set(chance.choice(candidates, len(found), replace=False).tolist()))
    assert users >= 10
    assert hits > 3 * max(of_chance, 1)


def test_an_item_holds_what_the_contract_says(items):
    assert len(items) == 671
    assert len({item["user_id"]["S"] for item in items}) == 671
    for item in items:
        assert set(item) == {"user_id", "generated_at", "model", "recs"}
        assert item["generated_at"] == {"S": "2026-11-21T02:00:00Z"}
        recs = [entry["M"] for entry in item["recs"]["L"]]
        assert 1 <= len(recs) <= 20
        assert len({entry["movie_id"]["S"] for entry in recs}) == len(recs)
        scores = [float(entry["score"]["N"]) for entry in recs]
        assert scores == sorted(scores, reverse=True)
        assert 0 < scores[-1] <= scores[0] <= 1


def test_the_same_night_computed_twice_is_the_same(ratings, items):
    assert ds_job.build_items(ratings, DAY) == items


def test_a_night_learns_only_from_ratings_made_before_its_cut_off(ratings):
    until = datetime.date(2016, 8, 8)
    old = ratings[ratings["timestamp"] < datetime.datetime(2016, 8, 8, tzinfo=datetime.UTC).timestamp()]
    assert len(old) < len(ratings)
    assert ds_job.build_items(ratings, DAY, until) == ds_job.build_items(old, DAY)


def test_the_schema_fault_changes_the_type_of_the_score_and_nothing_else(ratings, items):
    broken = ds_job.build_items(ratings, DAY, fault="schema")
    assert broken[0]["recs"]["L"][0]["M"]["score"] == {"S": items[0]["recs"]["L"][0]["M"]["score"]["N"]}
    assert json.loads(json.dumps(broken).replace('"score": {"S"', '"score": {"N"')) == items


def test_the_half_fault_loses_half_of_the_users(ratings, items):
    assert ds_job.build_items(ratings, DAY, fault="half") == items[: 671 // 2]


def test_unprocessed_items_are_written_again_after_growing_pauses(items):
    tables, pauses = Tables(unprocessed=[25, 7, 0, 3]), []
    ds_job.write_items(tables, "recs-x", items[:60], sleep=pauses.append)
    assert sorted(tables.written) == [item["user_id"]["S"] for item in items[:60]]
    assert (tables.calls, pauses) == (6, [0.05, 0.1, 0.05])


def test_items_unprocessed_for_good_are_an_error(items):
    with pytest.raises(RuntimeError, match="recs-x: 2 items of a batch still unprocessed after 8 attempts"):
        ds_job.write_items(Tables(unprocessed=[2] * 8), "recs-x", items[:5], sleep=lambda _: None)


def test_the_job_answers_with_the_exit_code_of_the_septet_command(tmp_path):
    septet = tmp_path / "septet"
    septet.write_text('#!/bin/sh\necho "$@" >"$0.arguments"\nexit 1\n')
    septet.chmod(0o755)
    assert ds_job.signal_by_cli(str(septet), "recs-x", 7) == 1
    assert (tmp_path / "septet.arguments").read_text() == "publish recs-x --items 7 --wait\n"


def test_a_queue_signal_carries_table_and_count():
    sent = []

    class Queue:
        def send_message(self, **message):
            sent.append(message)

    ds_job.signal_by_queue(Queue(), "http://q", "recs-x", 7)
    assert sent == [{"QueueUrl": "http://q", "MessageBody": '{"table": "recs-x", "items": 7}'}]


def test_a_queue_signal_without_a_queue_is_refused(monkeypatch, capsys):
    monkeypatch.delenv("SEPTET_PUBLISH_QUEUE_URL", raising=False)
    with pytest.raises(SystemExit):
        ds_job.parse_arguments(["--date", "2026-11-21", "--signal", "sqs"])
    assert "--queue-url" in capsys.readouterr().err
