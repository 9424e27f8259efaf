"""One local AWS with the template deployed to it for all tests; each takes datasets of its own."""

import pytest
from cloud import Cloud, deployed_cloud
from dataset import Dataset
from feed import Feed, plays
from third_party import third_party

SETTINGS = {
    "cloudtrail": {"enabled": True, "delay": 0.2, "copies": 1, "shuffle": False},
    "tables": {"creating_seconds": 0.3, "deleting_seconds": 0.2, "unseen_seconds": 0.0, "policy_seconds": 0.0},
}


@pytest.fixture(scope="session")
def shared_cloud():
    """The deployed stack; tests take ``cloud``."""
    with deployed_cloud() as cloud:
        yield cloud


@pytest.fixture(scope="session")
def party(tmp_path_factory):
    """The third party whose feed is silent at times."""
    with third_party(tmp_path_factory.mktemp("party"), {"plays": plays()}) as party:
        yield party


@pytest.fixture
def feed(cloud: Cloud, party, tmp_path) -> Feed:
    """A feed that nobody has put yet."""
    return Feed(cloud, party, tmp_path)


@pytest.fixture
def cloud(shared_cloud: Cloud) -> Cloud:
    """The deployed stack as if nothing had been told to it; what a test leaves behind must keep the invariants."""
    shared_cloud.aws.settings(**SETTINGS)
    shared_cloud.aws.clear_faults()
    shared_cloud.datasets.clear()
    yield shared_cloud
    shared_cloud.aws.settings(**SETTINGS)
    shared_cloud.aws.clear_faults()
    known = {name.removeprefix("DATASET#") for name, key in shared_cloud.registry_items() if key == "DATASET"}
    names = sorted(known & {dataset.name for dataset in shared_cloud.datasets})
    assert not names or not shared_cloud.broken(*names), shared_cloud.broken(*names)


@pytest.fixture
def new_dataset(cloud: Cloud, tmp_path):
    """Makes datasets: ``new_dataset(keepNewest=1)`` puts a contract with that setting."""

    def make(label: str = "set", *, contract: bool = True, **settings) -> Dataset:
        dataset = Dataset(cloud, tmp_path, label)
        if contract:
            dataset.put_contract(**settings)
        return dataset

    return make


@pytest.fixture
def dataset(new_dataset) -> Dataset:
    """A dataset with a contract and no version yet."""
    return new_dataset()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows with a failure what the functions said last."""
    outcome = yield
    report = outcome.get_result()
    cloud = getattr(item, "funcargs", {}).get("cloud")
    if report.when == "call" and report.failed and cloud:
        for function in (cloud.on_publish, cloud.prune, cloud.backfill):
            lines = [line for line in cloud.log_of(function) if '"fields"' in line]
            report.sections.append((f"{function} said last", "\n".join(line[:400] for line in lines[-25:])))
        report.sections.append(("local AWS said last", cloud.aws.log()[-3000:]))
