"""Checks of the predictions against the labels: accuracy, class order, constant predictions."""

from collections.abc import Iterator

from straylight.cohort.cohort import Cohort
from straylight.core.errors import join_names
from straylight.core.tensors import Batch, Labels
from straylight.evaluation.metrics import Proportion, Score, format_percent, mean_with_interval
from straylight.evaluation.preflight.check_result import CheckResult
from straylight.evaluation.scoring import cross_table

FEW = 10
MOST_NAMED = 5  # classes in a message


def check_against_labels(
    cohort: Cohort, predictions: Labels, order: Batch
) -> Iterator[CheckResult]:
    """Compare the predictions with the labels."""
    n = len(cohort.class_names)
    score = Score(
        cross_table(cohort.labels, predictions, n), cross_table(predictions, predictions, n), 0
    )
    yield from _check_class_counts(score, cohort.class_names)
    yield from _check_constant_prediction(score, cohort.class_names)
    yield from _check_accuracy(score, cohort.class_names)
    yield from _check_class_order(cohort, predictions, order)


def _check_class_counts(score: Score, names: tuple[str, ...]) -> Iterator[CheckResult]:
    """Check for classes of which the cohort has no images, or few."""
    counts = dict(zip(names, map(sum, score.confusion), strict=True))
    absent = [name for name, count in counts.items() if count == 0]
    few = [f"{name} ({count})" for name, count in counts.items() if 0 < count < FEW]
    if absent:
        yield CheckResult(
            "warning",
            "classes",
            f"The cohort has no image of {join_names(absent, MOST_NAMED)}: the effect of attacks on them "
            "is not measured; add some, or check that the labels are spelt like the classes.",
        )
    if few:
        yield CheckResult(
            "note",
            "classes",
            f"The cohort has fewer than {FEW} images of {join_names(few, MOST_NAMED)}: their recalls are "
            "uncertain.",
        )


def _check_constant_prediction(score: Score, names: tuple[str, ...]) -> Iterator[CheckResult]:
    """Check whether all images are predicted as one class."""
    if score.dominant.hits == score.n > score.constant.hits:
        yield CheckResult(
            "warning",
            "constant",
            f"All {score.n} images are predicted as {names[score.dominant_class]}, while the labels "
            "differ: check the normalisation, and the order of the classes.",
        )


def _check_accuracy(score: Score, names: tuple[str, ...]) -> Iterator[CheckResult]:
    """Check that the accuracy is above chance and above that of a constant prediction."""
    recalls = [recall for recall in score.recalls if recall.n]
    mean, low, high = mean_with_interval(recalls)
    interval = f"{format_percent(low)}-{format_percent(high)}"
    balanced = f"the balanced accuracy {format_percent(mean)} % ({interval})"
    always = names[max(range(len(names)), key=lambda label: sum(score.confusion[label]))]
    if len(recalls) > 1 and low <= 1 / len(recalls):
        yield CheckResult(
            "warning",
            "accuracy",
            f"The accuracy is {format_rate_ci(score.correct)} and {balanced}, where guessing has "
            f"{format_percent(1 / len(recalls))} %: no better than chance, most often because of a wrong "
            "order of the classes or a wrong normalisation; fix that first.",
        )
    elif len(recalls) > 1 and score.correct.ci95[0] <= score.constant.rate:
        yield CheckResult(
            "warning",
            "accuracy",
            f"The accuracy is {format_rate_ci(score.correct)}, not shown to be above the "
            f"{format_percent(score.constant.rate)} % of always predicting {always}, and {balanced}: look "
            "at the recalls before the fooling rates, which mean little for a weak classifier.",
        )


def _check_class_order(cohort: Cohort, predictions: Labels, order: Batch) -> Iterator[CheckResult]:
    """Check whether the outputs stand for the classes in another order.

    The order is chosen on one half of the images, and tested on the other.
    """
    n, half = len(cohort.class_names), len(order) // 2
    chosen_on, tested_on = order[:half], order[half:]
    table = cross_table(cohort.labels[chosen_on], predictions[chosen_on], n)
    output = [
        max(range(n), key=row.__getitem__) for row in table
    ]  # the most frequent output for each class
    if sorted(output) != list(range(n)) or output == list(range(n)) or not all(map(any, table)):
        return
    table = cross_table(cohort.labels[tested_on], predictions[tested_on], n)
    given = Proportion(sum(table[label][label] for label in range(n)), len(tested_on))
    other = Proportion(sum(table[label][output[label]] for label in range(n)), len(tested_on))
    if other.ci95[0] > given.ci95[1]:
        names = [cohort.class_names[output.index(position)] for position in range(n)]
        yield CheckResult(
            "warning",
            "class-order",
            f"With the classes in the order {', '.join(names)} the accuracy would be "
            f"{format_rate_ci(other)} instead of {format_rate_ci(given)}: the outputs probably stand for "
            "the classes in that order; give it with --classes.",
        )


def format_rate_ci(proportion: Proportion) -> str:
    """Format a proportion of images with its interval.

    >>> format_rate_ci(Proportion(5, 10))
    '50.0 % (23.7-76.3) of 10 images'
    """
    low, high = map(format_percent, proportion.ci95)
    return f"{format_percent(proportion.rate)} % ({low}-{high}) of {proportion.n} images"
