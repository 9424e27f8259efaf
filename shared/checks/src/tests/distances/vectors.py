"""Computes vectors.json and tables.json, beside this file, with scipy 1.16 and pandas 2.3: python vectors.py"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

rng = np.random.default_rng(7)


def psi(now, before):
    now, before = (np.maximum(counts / counts.sum(), 1e-4) for counts in (now, before))
    return float(np.sum((now - before) * np.log(now / before)))


def case(name, now, before):
    now, before = (pd.Series(np.round(values, 6)) for values in (now, before))
    edges = np.linspace(min(now.min(), before.min()), max(now.max(), before.max()) + 1e-9, 41)
    places = [pd.cut(values, edges, right=False, labels=False) for values in (now, before)]
    counts = [place.value_counts().reindex(range(40), fill_value=0) for place in places]
    return {
        "name": name,
        "now": [repr(value) for value in now.tolist()],
        "bins": [[int(one), int(two)] for one, two in zip(*counts)],
        "ks": float(stats.ks_2samp(*places).statistic),
        "psi": psi(*counts),
        "mean": float(now.mean()),
        "deviation": float(now.std(ddof=0)),
        "quantiles": [float(now.quantile(q, interpolation="nearest")) for q in (0.05, 0.5, 0.95)],
        "distinct": int(now.nunique()),
    }


def table(first, last, values):
    """Rows by their number: a key, and a value that is null in one of eleven, a text in one of seven."""
    rows = pd.DataFrame({"row": range(first, last)})
    rows["key"] = "k" + rows["row"].astype(str)
    rows["value"] = rows["row"] * 7919 % values
    rows["null"], rows["text"] = rows["row"] % 11 == 0, rows["row"] % 7 == 0
    return rows


def tables(now, before, values):
    """What two tables are, each by its first row and the one after its last, and how their keys differ."""
    rows, keys = table(*now, values), [pd.Index(table(*of, values)["key"]) for of in (now, before)]
    given = rows[~rows["null"]]
    return {
        "now": now,
        "before": before,
        "values": values,
        "nulls": int(rows["null"].sum()),
        "texts": int(given["text"].sum()),
        "numbers": int((~given["text"]).sum()),
        "distinct": int(given.groupby("text")["value"].nunique().sum()),
        "added": len(keys[0].difference(keys[1])) / len(keys[1]),
        "removed": len(keys[1].difference(keys[0])) / len(keys[1]),
    }


cases = [
    case("alike", rng.normal(0.5, 0.1, 400), rng.normal(0.5, 0.1, 300)),
    case("moved", rng.normal(0.6, 0.1, 400), rng.normal(0.5, 0.1, 300)),
    case("wider", rng.normal(0, 3, 400), rng.normal(0, 1, 300)),
    case("skewed", rng.lognormal(0, 2, 400), rng.lognormal(0.3, 2, 300)),
    case("apart", rng.uniform(0, 1, 200), rng.uniform(5, 6, 200)),
    case("whole", rng.poisson(3, 400).astype(float), rng.poisson(4, 300).astype(float)),
]
churn = [
    tables([0, 4000], [100, 4096], 50),
    tables([0, 30000], [0, 30000], 30000),
    tables([3000, 33000], [0, 30000], 20000),
    tables([0, 20000], [0, 50000], 7),
    tables([0, 60000], [0, 20000], 50000),
    tables([0, 20000], [20000, 40000], 10**9),
]
for name, computed in [("vectors", cases), ("tables", churn)]:
    Path(__file__).with_name(f"{name}.json").write_text(json.dumps(computed, indent=1) + "\n")
