"""Metrics by scikit-learn: `python -m tests.golden.record_metrics` writes metrics.json, where scikit-learn is installed.

The cases are the table of both comparisons in tests/test_metrics.py: with that file, and live where scikit-learn is installed.
The file holds the inputs too, because NumPy's generators may change from version to version.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from fnn import metrics
from fnn.functional.activations import sigmoid, softmax

FILE = Path(__file__).parent / "metrics.json"
RNG = np.random.default_rng(7)
CLASSES = 4
ROWS = 16


@dataclass(frozen=True)
class Case:
    """`theirs` takes the metrics of scikit-learn, prediction, target, and sample_weight as a keyword."""

    metric: Any
    prediction: Any
    target: Any
    theirs: Callable[..., Any]
    weights: Any = None

    def run_theirs(self, sklearn_metrics: Any) -> Any:
        return self.theirs(sklearn_metrics, self.prediction, self.target, sample_weight=self.weights)

    def run_ours(self, given: Any = None) -> Any:
        prediction, target, weights = given or (self.prediction, self.target, self.weights)
        return self.metric(prediction, target, weights=weights)


def by_class(average: Any, beta: float, which: int) -> Callable[..., Any]:
    def run(sk: Any, x: Any, y: Any, **options: Any) -> Any:
        labels = {} if average == "binary" else {"labels": range(int(x.max()) + 1)}
        options |= {"average": average, "beta": beta, "zero_division": 0, **labels}
        return sk.precision_recall_fscore_support(y, x, **options)[which]

    return run


def calibration(sk: Any, x: Any, y: Any, *, sample_weight: Any = None) -> Any:
    """scikit-learn has the reliability diagram only: the bins of its calibration_curve, weighed by their sizes."""
    confidence = x.max(1)
    curve = import_module("sklearn.calibration").calibration_curve
    accuracy, mean_confidence = curve(x.argmax(1) == y, confidence, n_bins=15)
    # its bins are ((m - 1) / M, m / M]
    sizes = np.bincount(np.ceil(confidence * 15).astype(int))
    return np.sum(np.abs(accuracy - mean_confidence) * sizes[sizes > 0]) / len(y)


def cases() -> dict[str, Case]:
    logits = (2 * RNG.normal(size=(ROWS, CLASSES))).round(3)
    labels = RNG.integers(0, CLASSES, ROWS)
    chosen = np.where(RNG.random(ROWS) < 0.6, labels, RNG.integers(0, CLASSES - 1, ROWS))
    chosen[0] = CLASSES - 1
    p = softmax(logits)
    pair = (labels % 2).astype(int)
    scores = (RNG.normal(pair).round(1)).astype(float)
    target = RNG.normal(1e6, 3, ROWS).round(3)
    values = target + RNG.normal(size=ROWS).round(3)
    targets, predictions = RNG.normal(size=(ROWS, 3)).round(3), RNG.normal(size=(ROWS, 3)).round(3)
    targets += 2 * predictions
    # class 2 is never predicted, class 1 never there
    gaps = np.where(chosen == 2, 0, chosen), np.where(labels == 1, 0, labels)
    both = (chosen % 2).astype(int), pair
    ks = {"k": 2, "labels": range(CLASSES)}
    plain = {
        "accuracy": Case(metrics.Accuracy(), logits, labels, lambda sk, x, y, **o: sk.accuracy_score(y, x.argmax(1), **o)),
        "top 2": Case(metrics.TopK(2), logits, labels, lambda sk, x, y, **o: sk.top_k_accuracy_score(y, x, **ks, **o)),
        "confusion matrix": Case(
            metrics.ConfusionMatrix(CLASSES), chosen, labels, lambda sk, x, y, **o: sk.confusion_matrix(y, x, **o)
        ),
        "area": Case(metrics.RocAuc(), scores, pair, lambda sk, x, y, **o: sk.roc_auc_score(y, x, **o)),
        "area, one against the rest": Case(
            metrics.OneVsRest(metrics.RocAuc(), CLASSES),
            p,
            labels,
            lambda sk, x, y, **o: sk.roc_auc_score(y, x, multi_class="ovr", **o),
        ),
        "average precision": Case(
            metrics.AveragePrecision(), scores, pair, lambda sk, x, y, **o: sk.average_precision_score(y, x, **o)
        ),
        "average precision, one against the rest": Case(
            metrics.OneVsRest(metrics.AveragePrecision(), CLASSES),
            p,
            labels,
            lambda sk, x, y, **o: sk.average_precision_score(np.eye(CLASSES)[y], x, **o),
        ),
        "log loss": Case(metrics.LogLoss(), logits, labels, lambda sk, x, y, **o: sk.log_loss(y, softmax(x), **o)),
        "log loss of probabilities": Case(
            metrics.LogLoss(probabilities=True), p, labels, lambda sk, x, y, **o: sk.log_loss(y, x, **o)
        ),
        "log loss of one logit": Case(metrics.LogLoss(), scores, pair, lambda sk, x, y, **o: sk.log_loss(y, sigmoid(x), **o)),
        "perplexity": Case(metrics.Perplexity(), logits, labels, lambda sk, x, y, **o: np.exp(sk.log_loss(y, softmax(x), **o))),
        "mae": Case(metrics.MAE(), values, target, lambda sk, x, y, **o: sk.mean_absolute_error(y, x, **o)),
        "mse": Case(metrics.MSE(), values, target, lambda sk, x, y, **o: sk.mean_squared_error(y, x, **o)),
        "mse of columns": Case(metrics.MSE(), predictions, targets, lambda sk, x, y, **o: sk.mean_squared_error(y, x, **o)),
        "rmse": Case(metrics.RMSE(), values, target, lambda sk, x, y, **o: sk.root_mean_squared_error(y, x, **o)),
        "r2": Case(metrics.R2(), values, target, lambda sk, x, y, **o: sk.r2_score(y, x, **o)),
        "r2 of columns": Case(metrics.R2(3), predictions, targets, lambda sk, x, y, **o: sk.r2_score(y, x, **o)),
    }
    for which, (name, metric) in enumerate({"precision": metrics.Precision, "recall": metrics.Recall}.items()):
        plain |= {
            f"{name}, {a}": Case(metric(CLASSES, average=a), *gaps, by_class(a, 1.0, which))
            for a in ("macro", "micro", "weighted")
        }
        plain[f"{name}, binary"] = Case(metric(2, average="binary"), *both, by_class("binary", 1.0, which))
    options: Any
    for options in ((1.0, "macro"), (0.5, "macro"), (2.0, "weighted"), (2.0, "micro")):
        beta, a = options
        plain[f"f{beta}, {a}"] = Case(metrics.FBeta(CLASSES, beta=beta, average=a), *gaps, by_class(a, beta, 2))
    w = RNG.integers(1, 5, ROWS) / 2.0
    weighted = {f"{name}, weighted rows": Case(c.metric, c.prediction, c.target, c.theirs, w) for name, c in plain.items()}
    plain["calibration error"] = Case(metrics.CalibrationError(probabilities=True), p, labels, calibration)
    return {**plain, **weighted}


CASES = cases()


def given(recorded: Any) -> Any:
    """(prediction, target, weights) of a case in the file."""
    return tuple([None if recorded[name] is None else np.array(recorded[name]) for name in ("prediction", "target", "weights")])


def record() -> None:
    version, sk = import_module("sklearn").__version__, import_module("sklearn.metrics")
    found: dict[str, Any] = {
        "made by": f"python -m tests.golden.record_metrics, with scikit-learn {version}, numpy {np.__version__}",
    }
    for name, case in CASES.items():
        inputs = {"prediction": case.prediction, "target": case.target, "weights": case.weights}
        value = np.asarray(case.run_theirs(sk))
        listed = {key: None if x is None else x.tolist() for key, x in inputs.items()}
        found[name] = {**listed, "value": value.tolist()}
    lines = [f"{json.dumps(name)}: {json.dumps(case)}" for name, case in found.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{FILE.name}: {FILE.stat().st_size} bytes, {len(CASES)} cases")


if __name__ == "__main__":
    record()
