"""How predictions agree with the labels: no better than chance, in another order, of one class."""

from collections.abc import Iterator

from straylight.cohort.load import Cohort
from straylight.core.tensors import Batch, Labels
from straylight.evaluation.metrics import Proportion, Score, mean_of, percent
from straylight.evaluation.preflight.finding import Finding
from straylight.evaluation.scoring import cross_table

FEW = 10
NAMED = 5  # classes that a sentence names


def check_agreement(cohort: Cohort, predictions: Labels, order: Batch) -> Iterator[Finding]:
    """Compare the predictions with the labels."""
    n = len(cohort.class_names)
    found = Score(
        cross_table(cohort.labels, predictions, n), cross_table(predictions, predictions, n), 0
    )
    yield from check_classes(found, cohort.class_names)
    yield from check_constant(found, cohort.class_names)
    yield from check_accuracy(found, cohort.class_names)
    yield from check_order(cohort, predictions, order)


def check_classes(found: Score, names: tuple[str, ...]) -> Iterator[Finding]:
    """Name the classes that the cohort lacks, and those that it has few images of."""
    counts = dict(zip(names, map(sum, found.confusion), strict=True))
    absent = [name for name, count in counts.items() if count == 0]
    few = [f"{name} ({count})" for name, count in counts.items() if 0 < count < FEW]
    if absent:
        yield Finding(
            "warning",
            "classes",
            f"The cohort has no image of {some(absent)}: what an attack does to them is not measured; "
            "add some, or see that the labels are spelt as the classes are.",
        )
    if few:
        yield Finding(
            "note",
            "classes",
            f"The cohort has fewer than {FEW} images of {some(few)}: their recalls say little.",
        )


def check_constant(found: Score, names: tuple[str, ...]) -> Iterator[Finding]:
    """Say so if all images get one class."""
    if found.dominant.hits == found.n > found.constant.hits:
        yield Finding(
            "warning",
            "constant",
            f"All {found.n} images are predicted as {names[found.dominant_class]}, while the labels "
            "differ: check the normalisation, and which output stands for which class.",
        )


def check_accuracy(found: Score, names: tuple[str, ...]) -> Iterator[Finding]:
    """Say so if the classifier was not shown to be better than an answer that looks at no image."""
    recalls = [recall for recall in found.recalls if recall.n]
    mean, low, high = mean_of(recalls)
    balanced = f"the balanced accuracy {percent(mean)} % ({percent(low)}-{percent(high)})"
    always = names[max(range(len(names)), key=lambda label: sum(found.confusion[label]))]
    if len(recalls) > 1 and low <= 1 / len(recalls):
        yield Finding(
            "warning",
            "accuracy",
            f"The accuracy is {said(found.correct)} and {balanced}, where guessing has "
            f"{percent(1 / len(recalls))} %: no better than chance, most often by a wrong order of the "
            "classes or a wrong normalisation; mend that first.",
        )
    elif len(recalls) > 1 and found.correct.ci95[0] <= found.constant.rate:
        yield Finding(
            "warning",
            "accuracy",
            f"The accuracy is {said(found.correct)}, not shown to be above the "
            f"{percent(found.constant.rate)} % of always answering {always}, and {balanced}: look at "
            "the recalls before the fooling rates, which say little of a weak classifier.",
        )


def check_order(cohort: Cohort, predictions: Labels, order: Batch) -> Iterator[Finding]:
    """See whether the outputs stand for the classes in another order.

    The order is chosen on one half of the images, and tested on the other.
    """
    n, half = len(cohort.class_names), len(order) // 2
    chosen_on, tested_on = order[:half], order[half:]
    table = cross_table(cohort.labels[chosen_on], predictions[chosen_on], n)
    output = [max(range(n), key=row.__getitem__) for row in table]  # that answers for each class
    if sorted(output) != list(range(n)) or output == list(range(n)) or not all(map(any, table)):
        return
    table = cross_table(cohort.labels[tested_on], predictions[tested_on], n)
    given = Proportion(sum(table[label][label] for label in range(n)), len(tested_on))
    other = Proportion(sum(table[label][output[label]] for label in range(n)), len(tested_on))
    if other.ci95[0] > given.ci95[1]:
        names = [cohort.class_names[output.index(position)] for position in range(n)]
        yield Finding(
            "warning",
            "class-order",
            f"With the classes in the order {', '.join(names)} the accuracy would be {said(other)} "
            f"instead of {said(given)}: the outputs probably stand for the classes in that order; give "
            "it with --classes.",
        )


def said(found: Proportion) -> str:
    """Write a proportion of images with its interval.

    >>> said(Proportion(5, 10))
    '50.0 % (23.7-76.3) of 10 images'
    """
    low, high = found.ci95
    return f"{percent(found.rate)} % ({percent(low)}-{percent(high)}) of {found.n} images"


def some(names: list[str], most: int = NAMED) -> str:
    """List names, the first of many.

    >>> some(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
