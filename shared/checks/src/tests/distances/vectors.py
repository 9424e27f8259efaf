"""Computes vectors.json with scipy and pandas: python vectors.py > vectors.json (scipy 1.16, pandas 2.3)."""

import json

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


cases = [
    case("alike", rng.normal(0.5, 0.1, 400), rng.normal(0.5, 0.1, 300)),
    case("moved", rng.normal(0.6, 0.1, 400), rng.normal(0.5, 0.1, 300)),
    case("wider", rng.normal(0, 3, 400), rng.normal(0, 1, 300)),
    case("skewed", rng.lognormal(0, 2, 400), rng.lognormal(0.3, 2, 300)),
    case("apart", rng.uniform(0, 1, 200), rng.uniform(5, 6, 200)),
    case("whole", rng.poisson(3, 400).astype(float), rng.poisson(4, 300).astype(float)),
]
print(json.dumps(cases, indent=1))
