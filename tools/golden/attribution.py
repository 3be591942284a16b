"""What the packages shap and lime say of games with a closed form, for tests/golden/attribution.json: Kernel and Partition
SHAP where they enumerate, Permutation SHAP where it is exact, and LIME's weights with the texts that it drew.

    pip install shap==0.51.0 lime==0.2.0.1
    python tools/golden/attribution.py [--check]
"""

import argparse
import json
from pathlib import Path

import numpy as np
import shap
from lime.lime_text import LimeTextExplainer

OUT = Path(__file__).parents[2] / "tests/golden/attribution.json"


def rough(masks):
    """A game without any order: 3 sin(12.9898 b), b = the coalition read as a binary number, player 0 its lowest bit."""
    masks = np.asarray(masks, dtype=float)
    return 3 * np.sin(12.9898 * (masks @ 2.0 ** np.arange(masks.shape[1])))


def pairwise(masks):
    """A game of second order: sum of (i + 1) z_i, and z_i z_j cos(i + 2 j) for i < j."""
    masks = np.asarray(masks, dtype=float)
    n = masks.shape[1]
    value = masks @ np.arange(1, n + 1)
    for i in range(n):
        for j in range(i + 1, n):
            value = value + masks[:, i] * masks[:, j] * np.cos(i + 2 * j)
    return value


def smooth(masks):
    """A probability: 1 / (1 + exp(-(sum of 1.5 cos(3 i) z_i, + 2 z_0 z_1 - 1)))."""
    masks = np.asarray(masks, dtype=float)
    slopes = 1.5 * np.cos(3.0 * np.arange(masks.shape[1]))
    return 1 / (1 + np.exp(-(masks @ slopes + 2 * masks[:, 0] * masks[:, 1] - 1)))


GAMES = {"rough": rough, "pairwise": pairwise, "smooth": smooth}


def kernel(name, n):
    explainer = shap.KernelExplainer(GAMES[name], np.zeros((1, n)), silent=True)
    values = explainer.shap_values(np.ones((1, n)), nsamples=2**n, l1_reg=False, silent=True)[0]
    return {"game": name, "players": n, "values": values.tolist()}


def clustering(tree, n):
    """A tree of nested pairs as SciPy writes linkages: [left, right, distance, size] a row."""
    rows = []

    def add(node):
        if isinstance(node, int):
            return node, 1
        (left, left_size), (right, right_size) = add(node[0]), add(node[1])
        rows.append([left, right, 1.0, left_size + right_size])
        return n + len(rows) - 1, left_size + right_size

    add(tree)
    return np.array(rows, dtype=float)


def partition(name, n, tree):
    masker = shap.maskers.Partition(np.zeros((1, n)), clustering=clustering(tree, n))
    explainer = shap.PartitionExplainer(GAMES[name], masker)
    values = explainer(np.ones((1, n)), max_evals=100_000, silent=True).values[0]
    return {"game": name, "players": n, "tree": tree, "values": values.tolist()}


def permutation(name, n):
    explainer = shap.PermutationExplainer(GAMES[name], np.zeros((1, n)), seed=1)
    values = explainer(np.ones((1, n)), max_evals=2 * n + 1, silent=True).values[0]
    return {"game": name, "players": n, "values": values.tolist()}


def lime(name, n, samples, features, selection):
    drawn = []
    words = [f"w{i}" for i in range(n)]

    def classifier(texts):
        masks = [[int(word in text.split()) for word in words] for text in texts]
        drawn.extend(masks)
        p = GAMES[name](masks)
        return np.stack([1 - p, p], 1)

    # Positions in place of a bag of words; what is taken away leaves a word that is none of these.
    explainer = LimeTextExplainer(
        bow=False, mask_string="gone", random_state=n, feature_selection=selection, split_expression=r"\s+"
    )
    made = explainer.explain_instance(
        " ".join(words), classifier, labels=(1,), num_features=features, num_samples=samples
    )
    weights = [0.0] * n
    for piece, weight in made.local_exp[1]:
        weights[piece] = float(weight)
    return {
        "game": name,
        "players": n,
        "features": features,
        "selection": {"forward_selection": "forward", "highest_weights": "highest"}.get(selection, selection),
        "weights": weights,
        "selected": [int(piece) for piece, _ in made.local_exp[1]],
        "intercept": float(made.intercept[1]),
        "score": float(made.score),
        "local": float(made.local_pred[0]),
        "masks": ["".join(map(str, mask)) for mask in drawn],
    }


def make():
    np.random.seed(0)
    return {
        "kernel": [kernel("rough", 2), kernel("rough", 7), kernel("smooth", 11)],
        "partition": [
            partition("rough", 2, [0, 1]),
            partition("rough", 5, [[0, [1, 2]], [3, 4]]),
            partition("smooth", 8, [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]),
        ],
        "permutation": [permutation("pairwise", 9)],
        "lime": [
            lime("smooth", 12, 400, 10, "auto"),
            lime("smooth", 8, 200, 4, "auto"),
            lime("rough", 6, 200, 10, "none"),
        ],
    }


def close(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(close(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(close, a, b))
    return abs(a - b) < 1e-6 if isinstance(a, float) else a == b


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the file in place of writing it")
    made = make()
    if not parser.parse_args().check:
        OUT.write_text(json.dumps(made, separators=(",", ":")).replace('{"game"', '\n{"game"') + "\n")
        return
    assert close(made, json.loads(OUT.read_text()))


if __name__ == "__main__":
    main()
