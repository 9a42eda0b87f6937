"""What each evaluation figure means, in one sentence, for a reader who has never met it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One evaluation figure as the page shows it.

    Attributes:
        name: Its key in evaluation.json.
        value: Formatted.
        better: "higher", "lower" or "" where neither is better in itself.
        meaning: One sentence, and another one on the score that was judged, if the name ends in one.
    """

    name: str
    value: str
    better: str
    meaning: str


# The first text that a figure's name contains explains it; the order is also that of importance for the verdict.
MEANINGS = (
    (
        "knn/accuracy",
        "higher",
        "Share of samples whose label the 20 nearest neighbours predict rightly, without any training.",
    ),
    (
        "knn/whitened_accuracy",
        "higher",
        "The same vote with whitened features: all directions of the embedding count alike.",
    ),
    (
        "linear/accuracy_100",
        "higher",
        "Accuracy of a linear classifier on the frozen embedding, taught with all labels.",
    ),
    ("whitened_recall@1", "higher", "As recall@1, with whitened features: all directions count alike."),
    ("recall@1", "higher", "Share of samples whose nearest neighbour has the same label: how good a search is."),
    (
        "r_auroc/ambiguity",
        "higher",
        "How well ambiguity finds samples with a wrong nearest neighbour: 0.5 chance, 1 perfect.",
    ),
    ("ood/auroc", "higher", "How well the score tells a second data set from the first: 0.5 is chance, 1 is perfect."),
    ("effective_rank", "higher", "How many directions of the embedding are in use: near 1 means collapse."),
    (
        "knn/balanced",
        "higher",
        "Accuracy of the neighbours' vote for each class by itself, averaged: rare classes count.",
    ),
    ("knn/whitened_balanced", "higher", "The whitened vote's accuracy for each class by itself, averaged."),
    ("linear/accuracy", "higher", "Accuracy of a linear classifier taught with the percentage of labels in the name."),
    (
        "linear/balanced",
        "higher",
        "The linear classifier's accuracy for each class by itself, averaged: rare classes count.",
    ),
    ("r_auroc", "higher", "How well the score finds samples with a wrong nearest neighbour: 0.5 chance, 1 perfect."),
    (
        "e_aurc",
        "lower",
        "Error that a perfect order would still save when doubtful samples are handed over: 0 is perfect.",
    ),
    (
        "aurc",
        "lower",
        "Error rate of the kNN classifier on the least doubtful samples, averaged over all shares answered.",
    ),
    ("augrc", "lower", "Share of samples that are both answered and wrong, averaged over all shares answered."),
    ("fpr95", "lower", "Share of known samples that raise a false alarm where 95 % of the foreign ones are found."),
    (
        "wrong_neighbours",
        "higher",
        "How far the score follows the share of wrong ones among the 20 nearest: 0 not at all, 1 in the same order.",
    ),
    ("cka", "higher", "How far an encoder trained with another seed sees the same structure: 1 is the same."),
    ("jaccard", "higher", "Share of common samples among the 10 nearest by this encoder and by one of another seed."),
    (
        "spearman",
        "higher",
        "How far an encoder of another seed orders the samples alike by ambiguity: 1 is the same order.",
    ),
    (
        "alignment",
        "lower",
        "Squared distance between two views of one sample, 0 to 4: small where disturbances are ignored.",
    ),
    (
        "uniformity",
        "lower",
        "How evenly the embeddings cover the unit sphere, -8 to 0: 0 means that all are one point.",
    ),
    ("std_min", "higher", "Spread of the least used dimension: 0 means that it carries nothing."),
    ("std_median", "", "Spread of a typical dimension: only to be compared with the least."),
    ("first_component", "lower", "Share of the whole variance that lies in one direction: near 1 means collapse."),
    ("labels/largest_class", "", "Share of the largest class: so often is right who always names that one."),
    ("labels/samples", "", "Samples with a label, that were judged."),
    ("labels/classes", "", "Classes that occur among them."),
    ("missing", "lower", "Samples without a label, which were left out."),
)
UNKNOWN = "A figure of a judge that this page does not know; the judge's own file describes it."
SCORES = {
    "ambiguity": "Score: the variance that the encoder predicts.",
    "nn_distance": "Score: distance to the nearest neighbour, a stand-in that needs no variance.",
    "knn_distance": "Score: mean distance to the 20 nearest neighbours, a stand-in that needs no variance.",
    "feature_norm": "Score: length of the feature vector, a stand-in that needs no variance.",
    "whitened_nn_distance": "Score: distance to the nearest neighbour by whitened features, which needs no variance.",
    "latent_nn_distance": "Score: distance to the nearest neighbour in the latent space, which needs no variance.",
    "posterior_distance": "Score: ambiguity and both distances to the nearest neighbour together.",
    "disagreement": "Score: how far the features of several views differ, a stand-in that needs no variance.",
    "elbo_gap": "Score: how badly several views explain each other, minus the self-supervised ELBO.",
    "mahalanobis": "Score: distance from the mean of the known data in units of its spread.",
}


UNEVEN = 1.5
"""From so many times its even share on, the largest class leads an accuracy, and the balanced one tells more."""


def figures(values: Mapping[str, float]) -> list[Figure]:
    """The evaluation figures, the most telling first; beside each accuracy what naming the largest class reaches."""
    named = [_figure(name, values) for name in values]
    return sorted(named, key=lambda figure: (_place(figure.name, _uneven(values)), figure.name))


def _uneven(values: Mapping[str, float]) -> bool:
    return values.get("labels/largest_class", 0.0) * values.get("labels/classes", 0.0) > UNEVEN


def _place(name: str, uneven: bool = False) -> int:
    matches = (place for place, (text, _, _) in enumerate(MEANINGS) if text in name)
    place = next(matches, len(MEANINGS))
    # Where classes are uneven, the balanced accuracies stand in front of all others.
    return place - len(MEANINGS) if uneven and "balanced_accuracy" in name else place


def _figure(name: str, values: Mapping[str, float]) -> Figure:
    place = _place(name)
    _, better, meaning = MEANINGS[place] if place < len(MEANINGS) else ("", "", UNKNOWN)
    score = SCORES.get(name.rsplit("/", 1)[-1], "")
    return Figure(name, f"{values[name]:.4g}{_beside(name, values)}", better, f"{meaning} {score}".strip())


def _beside(name: str, values: Mapping[str, float]) -> str:
    """What an accuracy is to be compared with: the base rate, or for balanced ones even guessing."""
    if "accuracy" not in name or "labels/largest_class" not in values:
        return ""
    if "balanced" in name:
        return f" (guessing: {1 / values['labels/classes']:.4g})"
    return f" (base rate: {values['labels/largest_class']:.4g})"
