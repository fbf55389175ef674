"""Fit a model's calibration on the valid sets of a recipe, and write it into the model's config.json.

    python tools/calibrate.py weights/english-minilm-l6 tools/english-minilm-l6.json

The first set counts twice as much as all others together, which count alike: scores are right for it and near for other
kinds of text. Of whole documents and of single sentences, as the recipe's F1 is. Source: Platt 1999.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import nerlite
from nerlite.config import CalibrationConfig, read_config, write_config
from nerlite.errors import ModelError
from nerlite.pipeline import Tagger
from nerlite.tags import to_spans
from nerlite.training.data import Sentence, Tags, read_set
from nerlite.training.recipe import SetRules, read_recipe


def answers(ner: Tagger, documents: Sequence[Sequence[Sentence]], rules: SetRules) -> tuple[np.ndarray, np.ndarray]:
    """Return the scores of a set's entities that were found, and which of them are right."""
    scores, right = [], []
    for texts in (documents, [[sentence] for document in documents for sentence in document]):
        found = ner.documents_of([[sentence.words for sentence in text] for text in texts])
        for text, document in zip(texts, found, strict=True):
            gold, start = set(), 0
            for sentence in text:
                gold |= {(span.start + start, span.stop + start, span.label) for span in sentence.spans}
                start += len(sentence.words)
            spans = to_spans(document.tags)
            for span, entity in zip(spans, document.entities, strict=True):
                if span.label not in rules.hidden:
                    scores.append(entity.score)
                    right.append(tuple(span) in gold)
    return np.array(scores), np.array(right, float)


def fit(scores: np.ndarray, right: np.ndarray, weights: np.ndarray) -> CalibrationConfig:
    """Return the slope and shift of the logistic regression of right on logit(score), by Newton's method.

    A step is halved until it makes the likelihood no smaller.
    """
    scores = np.clip(scores, 1e-9, 1 - 1e-9)
    logits = np.stack([np.log(scores) - np.log1p(-scores), np.ones_like(scores)], 1)

    def loss(parameters: np.ndarray) -> float:
        return float(weights @ np.logaddexp(0, np.where(right > 0, -1, 1) * (logits @ parameters)))

    parameters = np.array([0.5, 0.0])
    for _ in range(50):
        predicted = 1 / (1 + np.exp(-np.clip(logits @ parameters, -500, 500)))
        curvature = (logits * (weights * predicted * (1 - predicted))[:, None]).T @ logits
        step = np.linalg.solve(curvature, logits.T @ (weights * (right - predicted)))
        while loss(parameters + step) > loss(parameters) and np.abs(step).max() > 1e-9:
            step /= 2
        parameters = parameters + step
    return CalibrationConfig(round(float(parameters[0]), 4), round(float(parameters[1]), 4))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, or 2 after a printed error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path, metavar="MODEL", help="a model directory without calibration")
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="the recipe whose valid sets it is fitted on")
    options = parser.parse_args(arguments)
    try:
        path = options.model / "config.json"
        config = read_config(path)
        if config.calibration:
            raise ModelError(f"{path}: calibration: expected null, got one already")
        ner, tags = nerlite.load(options.model), Tags(nerlite.load(options.model).labels)
        sets = [answers(ner, read_set([Path(os.environ["NERLITE_DATA"])], rules, tags), rules)
                for rules in read_recipe(options.recipe).valid]
        others = 2 * max(1, len(sets) - 1)
        weights = np.concatenate([np.full(len(scores), 1 / len(scores) / (others if i else 1))
                                  for i, (scores, _) in enumerate(sets)])
        calibration = fit(*(np.concatenate(column) for column in zip(*sets, strict=True)), weights)
        write_config(config._replace(calibration=calibration), path)
    except (ModelError, OSError, KeyError) as error:
        print(f"calibrate: {error}", file=sys.stderr)
        return 2
    print(f"{path}: slope {calibration.slope}, shift {calibration.shift}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
