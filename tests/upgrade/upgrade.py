"""`make upgrade`: release 0.1.0 and today's, one after the other and side by side on one stack.

0.1.0 is built from the history of this repository. Its template is deployed to a local AWS and used; today's template is
deployed over it, and 0.1.0's again over that, as a deployment that is taken back. All the time the programs of both read
and write the same registry, tables and queues: operators still have the former command, services the former reader. Both
must go on, lose nothing, and refuse what would lose something.
"""

import argparse
import contextlib
import copy
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "local"), str(ROOT / "tests" / "flow")]

import release  # noqa: E402
import stack  # noqa: E402
from cloud import PARAMETERS, Cloud  # noqa: E402
from conftest import SETTINGS  # noqa: E402
from feed import FIRST, LAST, SHORT, SHORT_RECORDS, Feed, lost, plays  # noqa: E402
from reader import Reader  # noqa: E402
from stage import Checks, Failed, Nights, missing, pages  # noqa: E402
from third_party import ThirdParty, third_party  # noqa: E402
from waiting import PATIENCE, until  # noqa: E402

KEEP = 7
WHY = ("--reason", "to see", "--yes")
REFUSAL = "update this Septet"


class Upgrade:
    """One stack on which two releases take turns."""

    def __init__(self, aws: stack.LocalAws, releases: dict[str, release.Release], party: ThirdParty) -> None:
        self.aws, self.releases, self.party = aws, releases, party
        self.checks = Checks()
        self.directory = Path(tempfile.mkdtemp(dir=aws.directory))
        self.clouds: dict[str, Cloud] = {}
        self.code: dict[str, dict[str, str]] = {}
        self.closing = contextlib.ExitStack()

    def deploy(self, name: str) -> None:
        """Deploys the template of a release over what there is; afterwards both releases' commands work on it."""
        began = time.monotonic()
        outputs = stack.deploy(self.aws, PARAMETERS, self.releases[name].template)
        if not self.clouds:
            people = Cloud(self.aws, outputs, {})
            self.clouds = {each: copy.copy(people) for each in self.releases}
            for each, cloud in self.clouds.items():
                cloud.programs = self.releases[each].programs
        for cloud in self.clouds.values():
            cloud.outputs = outputs
        self.checks.holds(f"the template of {name} is deployed in {time.monotonic() - began:.0f} s", True)
        code, client = {}, self.aws.client("lambda")
        for function in ("OnPublishFunction", "PruneFunction", "BackfillFunction"):
            found = client.get_function_configuration(FunctionName=outputs[function])
            code[function] = found["CodeSha256"]
        others = [other for each, other in self.code.items() if each != name]
        self.checks.equal(f"its functions run the code of {name}", code, self.code.setdefault(name, code))
        mixed = [function for other in others for function in code if other[function] == code[function]]
        self.checks.equal("none of them is of another release", mixed, [])

    def deploy_over(self, name: str, *kept: Nights) -> None:
        """Deploys a release over another, and checks that the registry does not notice."""
        before = {nights.name: nights.items() for nights in kept}
        self.deploy(name)
        for nights in kept:
            self.checks.equal(f"{nights.name}: no item of the registry changed", nights.items(), before[nights.name])

    def reader(self, who: str, nights: Nights) -> Reader:
        """Starts the example reader of a release."""
        directory = self.directory / f"{who}-{nights.name}"
        directory.mkdir()
        reader = Reader(self.clouds[who], nights.dataset, directory)
        self.closing.callback(reader.kill)
        reader.until_on(nights.live())
        return reader

    def sound(self, who: str, *all_nights: Nights) -> None:
        """Checks the invariants of the registry, as a release knows them."""
        broken = self.clouds[who].broken(*(nights.name for nights in all_nights))
        self.checks.equal(f"no invariant of {who} is broken", broken, "")

    def command(self, who: str, nights: Nights, *arguments: object) -> subprocess.CompletedProcess:
        """Runs the command of a release, whatever comes of it."""
        verb, *rest = arguments
        return self.clouds[who].septet(verb, nights.name, *rest, code=None)

    def moves(self, who: str, nights: Nights) -> None:
        """Rolls back, forward, to a version and releases, by the command of a release."""
        live = nights.live()
        # Today's release withdraws what a rollback leaves.
        reinstate = [("reinstate", live)] if who == "today" else []
        for arguments in [("rollback",), ("forward",), ("rollback",), ("release",), *reinstate, ("point", live)]:
            done = self.command(who, nights, *arguments, *WHY)
            what = " ".join(map(str, arguments))
            self.checks.equal(f"{who}: {what} {nights.name}", (done.returncode, done.stderr * done.returncode), (0, ""))
        self.checks.equal(f"{nights.name} is where it was", nights.live(), live)
        self.checks.holds(f"{nights.name} is held no more", "hold" not in nights.dataset.pointer())

    # ------------------------------------------------------------ the acts

    def play(self) -> None:
        """Plays all acts."""
        with self.closing:
            self.before()
            self.upgraded()
            self.former_command()
            self.taken_back()
            self.upgraded_again()

    def before(self) -> None:
        """0.1.0 alone, with some of everything."""
        checks = self.checks
        checks.act("Release 0.1.0")
        self.deploy("0.1.0")
        old = self.clouds["0.1.0"]
        self.recs = Nights(old, self.directory, "recs", keepNewest=KEEP)
        self.calm = Nights(old, self.directory, "calm", keepNewest=3)
        self.recs.publish_live()
        self.old_reader = self.reader("0.1.0", self.recs)
        for _ in range(8):
            self.recs.publish_live()
        checks.equal("nine nights went live", self.recs.live(), 9)
        checks.equal("a bad night is rejected", self.recs.publish_bad()["state"], "rejected")
        late = self.recs.announced()
        self.recs.let_deadline_pass(late)
        old.sweep(self.recs.name)
        checks.equal("a table that nobody completes is abandoned", self.recs.dataset.state_of(late), "abandoned")
        old.septet("rollback", self.recs.name, *WHY)
        checks.equal("live is rolled back", self.recs.live(), 8)
        self.old_reader.until_on(8)
        for _ in range(2):
            self.calm.publish_live()
        self.open_table = self.calm.announced()

        self.feed = Feed(old, self.party, self.directory).put()
        self.feed.start(FIRST, LAST, "--rate", 5)
        time.sleep(2)
        self.feed.order("pause")
        checks.holds("a recovery is under way", any(window["state"] == "done" for window in self.feed.windows()))
        self.sound("0.1.0", self.recs, self.calm)

    def upgraded(self) -> None:
        """Today's release over it."""
        checks, recs, calm = self.checks, self.recs, self.calm
        checks.act("Today's release over it")
        before = {nights.name: pages(self.clouds["0.1.0"], nights) for nights in (recs, calm)}
        self.deploy_over("today", recs, calm)
        today = self.clouds["today"]
        for nights in (recs.by(today), calm.by(today)):
            for page, content in pages(today, nights).items():
                lacks = missing(before[nights.name][page], content)
                checks.equal(f"{page} of {nights.name} shows all that 0.1.0 showed", lacks, [])
        self.sound("today", recs, calm)

        held = recs.publish()
        checks.equal("a night passes and the hold of 0.1.0 keeps it from going live", recs.live(), 8)
        checks.equal("it is valid", held["state"], "valid")
        today.septet("release", recs.name, *WHY[:2])
        newest = int(recs.publish_live()["version"])
        self.old_reader.until_on(newest)
        checks.holds("after a release the next night goes live and 0.1.0's reader follows", True)
        calm.publish_live(self.open_table)
        checks.holds("a table that 0.1.0 announced goes live", True)
        calm.publish_live()

        doomed = [version["table"] for version in recs.dataset.versions() if version["version"] <= 3]
        recs.prune(KEEP)
        checks.equal("tables that 0.1.0 sealed are pruned", [recs.dataset.status(one) for one in doomed], [None] * 3)
        today.septet("rollback", recs.name, *WHY)
        self.old_reader.until_on(recs.live())
        today.septet("forward", recs.name, *WHY)
        self.old_reader.until_on(newest)
        checks.holds("0.1.0's reader follows a rollback and a roll forward", True)
        self.new_reader = self.reader("today", calm)

        self.feed.cloud = today
        self.feed.order("set", "--rate", "1000")
        self.feed.order("resume")
        checks.equal("a recovery that 0.1.0 began succeeds", self.feed.until_over(), "succeeded")
        found = sorted(record["id"] for record, _ in self.feed.injected())
        checks.equal("each lost record came back once", found, sorted(lost()))
        self.sound("today", recs, calm)

    def former_command(self) -> None:
        """0.1.0's command on what today's release wrote."""
        checks, recs, calm, old = self.checks, self.recs, self.calm, self.clouds["0.1.0"]
        checks.act("0.1.0's command beside today's functions")
        for nights in (recs, calm):
            shown = pages(old, nights)["versions"]
            checks.equal(f"0.1.0 shows every version of {nights.name}", len(shown), len(nights.dataset.versions()))
        self.moves("0.1.0", calm)
        self.moves("today", calm)
        table = calm.by(old).publish_live()["table"]
        checks.equal("0.1.0's publish reaches today's functions", calm.dataset.live_table(), table)
        self.new_reader.until_on(calm.live())
        calm.by(self.clouds["today"])
        self.guarded()
        self.sound("today", recs, calm)

    def guarded(self) -> None:
        """A dataset with a hold and a withdrawn version, which 0.1.0 knows nothing of."""
        checks, recs, today = self.checks, self.recs, self.clouds["today"]
        live = recs.live()
        today.septet("rollback", recs.name, *WHY)
        today.septet("withdraw", recs.name, live, *WHY)
        self.guarded_items = recs.items()
        marks = [one for one in self.guarded_items.values() if "holds" in one or "withdrawn" in one]
        checks.equal(
            "the hold and the withdrawal are in items of format 2", {one["format"]["N"] for one in marks}, {"2"}
        )
        self.refused("0.1.0 loses neither the hold nor the withdrawal")

    def refused(self, what: str) -> None:
        """Checks that 0.1.0's command changes nothing of the guarded dataset, and says what to do."""
        checks, recs = self.checks, self.recs
        valid = [int(one["version"]) for one in recs.dataset.versions() if one["state"] == "valid"]
        for arguments in (("release",), ("forward",), ("rollback",), *(("point", number) for number in valid)):
            done = self.command("0.1.0", recs, *arguments, *(WHY if arguments != ("release",) else WHY[:2]))
            said = done.returncode != 0 and REFUSAL in done.stderr
            checks.holds(f"0.1.0 refuses to {arguments[0]}", said, (done.returncode, done.stdout, done.stderr))
        for page in ("versions", "log", "history"):
            done = self.command("0.1.0", recs, page)
            fine = done.returncode == 0 or REFUSAL in done.stderr
            checks.holds(f"0.1.0 shows {page} or says what to do", fine, (done.returncode, done.stderr))
        checks.equal(what, recs.items(), self.guarded_items)

    def taken_back(self) -> None:
        """0.1.0's release over today's."""
        checks, recs, calm, old = self.checks, self.recs, self.calm, self.clouds["0.1.0"]
        checks.act("Release 0.1.0 over today's")
        open_table = calm.announced()
        feed = Feed(self.clouds["today"], self.party, self.directory).put()
        feed.start(*SHORT, "--rate", 1)
        feed.order("pause")
        self.deploy_over("0.1.0", recs, calm)
        calm.by(old)
        calm.publish_live(open_table)
        checks.holds("a table that today's release announced goes live", True)
        self.new_reader.until_on(int(calm.publish_live()["version"]))
        checks.holds("today's reader follows what 0.1.0 publishes", True)
        calm.prune(3)
        checks.equal("0.1.0 prunes to what is kept", calm.states()["valid"], 3)
        self.moves("0.1.0", calm)
        checks.equal("a bad night is rejected", calm.publish_bad()["state"], "rejected")
        pages(old, calm)
        checks.holds("0.1.0's command shows everything", True)
        self.sound("0.1.0", calm)

        feed.cloud = old
        feed.order("resume")
        checks.equal("a recovery that today's release began succeeds", feed.until_over(), "succeeded")
        checks.equal("each of its records came back once", len(feed.injected()), SHORT_RECORDS)

        recs.by(old)
        self.waiting_table = recs.written()
        signal = {"table": self.waiting_table}
        old.send(signal, who=old.operator)
        old.invoke(old.prune, {"dataset": recs.name})
        until("0.1.0 gives up the messages", lambda: old.waiting() == 0, 2 * PATIENCE)
        kept = [json.loads(body) for body in old.take(old.dead_letters)]
        checks.holds("the signal that 0.1.0 cannot follow is kept in the dead letters", signal in kept, kept)
        self.refused("0.1.0's functions and command change nothing of the guarded dataset")

    def upgraded_again(self) -> None:
        """Today's release once more."""
        checks, recs, calm, today = self.checks, self.recs, self.calm, self.clouds["today"]
        checks.act("Today's release again")
        self.deploy_over("today", recs, calm)
        for nights in (recs.by(today), calm.by(today)):
            pages(today, nights)
            checks.holds(f"today's command shows everything of {nights.name}", True)
        recs.publish(self.waiting_table)
        checks.equal("a table that 0.1.0 refused is published", recs.dataset.state_of(self.waiting_table), "valid")
        today.septet("release", recs.name, *WHY)
        self.old_reader.until_on(int(recs.publish_live()["version"]))
        self.new_reader.until_on(int(calm.publish_live()["version"]))
        checks.holds("both readers follow the next nights", True)
        recs.prune(KEEP)
        calm.prune(3)
        checks.holds("both datasets are pruned", True)
        self.sound("today", recs, calm)
        for who, reader in (("0.1.0", self.old_reader), ("today", self.new_reader)):
            totals = reader.stop()
            wrong = (totals["failed"], totals["missing"], totals["first_error"])
            checks.equal(f"no read of {who}'s reader failed, of {totals['reads']}", wrong, (0, 0, None))


def main() -> None:
    """Builds both releases and plays."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    began = time.monotonic()
    print("Building both releases; the first time takes as long as building everything twice ...", flush=True)
    try:
        releases = {"0.1.0": release.former(), "today": release.today()}
        print(f"Built in {time.monotonic() - began:.0f} s.", flush=True)
        with stack.local_aws() as aws, third_party(aws.directory, {"plays": plays()}) as party:
            aws.settings(**SETTINGS)
            upgrade = Upgrade(aws, releases, party)
            try:
                upgrade.play()
            except AssertionError as error:
                for cloud in list(upgrade.clouds.values())[:1]:
                    for function in (cloud.on_publish, cloud.prune, cloud.backfill):
                        lines = [line[:400] for line in cloud.log_of(function) if '"fields"' in line]
                        print(f"\n{function} said last:\n" + "\n".join(lines[-15:]), file=sys.stderr)
                sys.exit(f"upgrade: failed after {upgrade.checks.passed} checks: {error}")
    except (stack.LocalAwsError, Failed) as error:
        sys.exit(f"upgrade: {error}")
    print(f"\n{time.monotonic() - began:.0f} s in all")
    print(f"upgrade: {upgrade.checks.passed} checks passed")


if __name__ == "__main__":
    main()
