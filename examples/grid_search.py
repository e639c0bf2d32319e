"""A net in scikit-learn's Pipeline and GridSearchCV: python examples/grid_search.py (needs fnn[sklearn])."""

import argparse
import warnings
from typing import Any

import fnn

try:
    from sklearn.datasets import load_wine
    from sklearn.model_selection import GridSearchCV, train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
except ImportError:
    raise SystemExit("skipped: this example needs scikit-learn (pip install 'fnn[sklearn]')") from None

from fnn.sklearn import Classifier


def main() -> float:
    x, y = load_wine(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, stratify=y, random_state=0)
    net = make_pipeline(StandardScaler(), Classifier(epochs=30, random_state=0))
    grid: Any = GridSearchCV(
        net,
        {
            "classifier__hidden": [(), (16,), (32, 16)],
            "classifier__optimizer": [fnn.Adam(1e-2), fnn.AdamW(1e-2, weight_decay=0.1), fnn.Sgd(0.1)],
        },
        cv=4,
    )
    grid.fit(x_train, y_train)
    results = grid.cv_results_
    rows = zip(results["rank_test_score"], results["mean_test_score"], results["params"], strict=True)
    for rank, mean, chosen in sorted(rows, key=lambda row: row[0]):
        print(f"{rank:2}  {mean:.3f}  hidden {chosen['classifier__hidden']!s:9} {chosen['classifier__optimizer']}")
    score = float(grid.score(x_test, y_test))
    print(f"\ntest accuracy of the best: {score:.1%}")
    return score


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    warnings.simplefilter("error")
    main()
