"""Rules over a dataset, by scikit-learn: decision trees on features that are there or not, and which n-grams stand in how many
texts; intervals by scipy; how well labels fit by cleanlab (pip install cleanlab==2.9.0).

Of equally good questions scikit-learn draws one, Graft asks the first. So each case here has a single tree: it is the same
for 20 random orders of the features.

    python tools/golden/rules.py [--check]
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
from cleanlab.rank import get_label_quality_scores
from scipy.stats import binomtest, t
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.tree import DecisionTreeClassifier

ROOT = Path(__file__).parents[2]
OUT = ROOT / "tests/golden/rules.json"
TEXTS = 40


def digits(values):
    return [float(f"{value:.10g}") for value in np.asarray(values, float).ravel()]


def nodes_of(fit):
    """The tree from the root on, where a feature is there first: [feature or -1, rows by class]."""
    tree, found = fit.tree_, []

    def walk(at):
        counts = np.rint(tree.value[at][0] * tree.n_node_samples[at]).astype(int).tolist()
        leaf = tree.children_left[at] < 0
        found.append([-1 if leaf else int(tree.feature[at]), counts])
        if not leaf:
            walk(tree.children_right[at])
            walk(tree.children_left[at])

    walk(0)
    return found


def tree_case(rows, features, classes, depth, leaf):
    for seed in range(1000):
        random = np.random.default_rng(seed)
        x = (random.random((rows, features)) < random.uniform(0.2, 0.8, features)).astype(int)
        wanted = np.where(x[:, 0] & ~x[:, 1] & 1, 0, np.where(x[:, 2], 1, classes - 1))
        y = np.where(random.random(rows) < 0.75, wanted, random.integers(0, classes, rows))
        fits = [
            DecisionTreeClassifier(max_depth=depth, min_samples_leaf=leaf, random_state=order).fit(x, y)
            for order in range(20)
        ]
        trees = [nodes_of(fit) for fit in fits]
        if all(tree == trees[0] for tree in trees):
            return {
                "depth": depth,
                "leaf": leaf,
                "rows": ["".join(map(str, row)) for row in x.tolist()],
                "labels": y.tolist(),
                "nodes": trees[0],
                "predicted": fits[0].predict(x).tolist(),
            }
    raise SystemExit("every seed had ties")


def ngram_case():
    with open(ROOT / "public/samples/support.csv", encoding="utf-8") as file:
        texts = [row["text"] for row in csv.DictReader(file)][:TEXTS]
    by = CountVectorizer(ngram_range=(1, 2), binary=True, token_pattern=r"[^\W_]+(?:['’_-][^\W_]+)*")
    counts = by.fit_transform(texts).sum(axis=0).A1
    found = {gram: int(counts[at]) for gram, at in by.vocabulary_.items() if counts[at] >= 3}
    return {"texts": TEXTS, "least": 3, "counts": dict(sorted(found.items()))}


def interval_case():
    shares = [[0, 7], [7, 7], [3, 10], [250, 300]]
    values = [0.2, 0.9, -0.4, 1.3, 0.55, 0.1, 0.7]
    mean, half = np.mean(values), t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return {
        "shares": shares,
        "wilson": [digits(binomtest(k, n).proportion_ci(method="wilson")) for k, n in shares],
        "values": values,
        "t": digits([mean - half, mean + half]),
    }


def label_case():
    random = np.random.default_rng(5)
    logits = random.normal(size=(12, 4)) * 2
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    gold = random.integers(0, 4, 12)
    quality = lambda method: digits(get_label_quality_scores(gold, probabilities, method=method))
    return {
        "logits": digits(logits),
        "gold": gold.tolist(),
        "selfConfidence": quality("self_confidence"),
        "normalisedMargin": quality("normalized_margin"),
    }


def make():
    return {
        "trees": [tree_case(120, 12, 3, 3, 5), tree_case(90, 8, 2, 2, 1), tree_case(150, 15, 4, 5, 3)],
        "ngrams": ngram_case(),
        "intervals": interval_case(),
        "labels": label_case(),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    text = json.dumps(make(), ensure_ascii=False) + "\n"
    if parser.parse_args().check:
        print("identical" if OUT.read_text() == text else "different")
    else:
        OUT.write_text(text)
