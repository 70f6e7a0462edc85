"""Compare our attacks with ART's on the same classifier, photographs and budget: rate, passes, seconds.

    pip install adversarial-robustness-toolbox
    python benchmarks/floor.py --model models/skin --natural photos/ --cohort skin/test.csv --zeta 0.02

ART's `UniversalPerturbation` and our `sequential` run with an FGSM step of `--step`, once over the
photographs: 0.00025 on images in [0, 1] is the paper's, sized for 100,000 photographs; 0.0012 is that of
its sibling on medical images (Hirano 2021). All perturbations are scored in the same way: on the cohort,
clipped and rounded to 8 bits. The floor is the time of as many bare forward and backward passes of the
same classifier in batches of 32, measured in the same run.
"""

import argparse
import time

import torch

from peers import Art
from straylight import Ball, Classifier, ImageSet, load_classifier, load_cohort, load_natural
from straylight.attacks.ball import eps_from_zeta
from straylight.attacks.gradient import Gradient
from straylight.attacks.protocol import Attack
from straylight.attacks.sequential import Sequential
from straylight.core.tensors import Delta
from straylight.evaluation.scoring import predict_clean, score
from straylight.models.folding import fold_batch_norms
from straylight.models.pass_counter import PassCounter, count_passes


def run_attack(attack: Attack, classifier: Classifier, photographs: ImageSet, ball: Ball) -> Delta:
    """Return the perturbation of a non-targeted attack."""
    generator = torch.Generator().manual_seed(0)
    *_, last = attack(classifier, photographs, ball, target=None, generator=generator)
    return last.delta


def floor_seconds(classifier: Classifier, photographs: ImageSet, passes: PassCounter) -> float:
    """Measure the seconds of as many bare forward and backward passes, in batches of 32."""
    images = photographs.images(slice(0, 32))
    delta = torch.zeros(1, *classifier.shape, requires_grad=True)
    started = time.perf_counter()
    for _ in range(5):
        torch.autograd.grad(classifier(images + delta).sum(), delta)
    both = (time.perf_counter() - started) / (5 * 32)
    started = time.perf_counter()
    for _ in range(5):
        classifier.predict(images)
    forward = (time.perf_counter() - started) / (5 * 32)
    return passes.backward * both + (passes.forward - passes.backward) * forward


def main() -> None:
    """Run all and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--natural", required=True)
    parser.add_argument("--cohort", required=True)
    parser.add_argument("--zeta", type=float, default=0.02)
    parser.add_argument("--step", type=float, default=0.0012)
    arguments = parser.parse_args()
    plain = load_classifier(arguments.model)
    photographs = load_natural(arguments.natural, plain.shape)
    cohort = load_cohort(arguments.cohort, plain.shape, plain.class_names)
    ball = Ball("l2", eps_from_zeta(arguments.zeta, cohort.images.mean_norm("l2")))
    folded = fold_batch_norms(plain)
    step = arguments.step
    runs: dict[str, tuple[Classifier, Attack]] = {
        f"ART `UniversalPerturbation`, FGSM {step:g}, 1 pass": (plain, Art(step_size=step)),
        f"`sequential:step_size={step:g}`, 1 pass": (folded, Sequential(step_size=step)),
        "`gradient:steps=150`": (folded, Gradient(steps=150)),
    }
    clean = predict_clean(plain, cohort)
    print("| method | fooling rate (95 % interval) | image passes | seconds | seconds / floor |")
    print("|---|---|---|---|---|")
    for name, (classifier, attack) in runs.items():
        started = time.perf_counter()
        with count_passes(classifier) as passes:
            delta = run_attack(attack, classifier, photographs, ball)
        seconds = time.perf_counter() - started
        least = floor_seconds(folded, photographs, passes)
        found = score(plain, ball.project(delta), clean).fooled
        low, high = found.ci95
        rate = f"{100 * found.rate:.1f} % ({100 * low:.1f} - {100 * high:.1f})"
        print(
            f"| {name} | {rate} | {passes.total} | {seconds:.0f} | {seconds / least:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
