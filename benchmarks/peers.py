"""Our attacks beside ART's on the same classifier, photographs and budget: rate, passes, seconds.

    pip install adversarial-robustness-toolbox
    python benchmarks/peers.py --model models/skin --natural photos/ --cohort skin/test.csv --zeta 0.02

ART's `UniversalPerturbation` and our `sequential` run with an FGSM step of `--step`, once over the
photographs: 0.00025 on images in [0, 1] is the paper's, sized for 100,000 photographs; 0.0012 is that of
its sibling on medical images (Hirano 2021). All perturbations are scored in the same way: on the cohort,
clipped and rounded to 8 bits. The floor is the time of as many bare forward and backward passes of the
same classifier in batches of 32, measured in the same run.
"""

import argparse
import random
import time
from collections.abc import Callable

import numpy as np
import torch
from art.attacks.evasion import UniversalPerturbation
from art.estimators.classification import PyTorchClassifier

from straylight import Ball, Classifier, ImageSet, load_classifier, load_cohort, load_natural
from straylight.attacks import Gradient, Sequential
from straylight.ball import eps_from_zeta
from straylight.classifier import Passes, count_passes
from straylight.evaluate import predict_clean, score
from straylight.folding import fold
from straylight.tensors import Delta


def art(classifier: Classifier, photographs: ImageSet, ball: Ball, step: float) -> Delta:
    """Run ART's universal perturbation with its FGSM, one pass over the photographs."""
    estimator = PyTorchClassifier(
        classifier,
        torch.nn.CrossEntropyLoss(),
        classifier.shape,
        len(classifier.class_names),
        clip_values=(0.0, 1.0),
        device_type="cpu",
    )
    attack = UniversalPerturbation(
        estimator,
        attacker="fgsm",
        attacker_params={"eps": step, "norm": np.inf},
        delta=1e-6,
        max_iter=1,
        eps=ball.eps,
        norm=2 if ball.norm == "l2" else np.inf,
        verbose=False,
    )
    attack.generate(photographs.images(slice(None)).numpy())
    return torch.from_numpy(np.asarray(attack.noise, dtype=np.float32))


def ours(
    attack: Gradient | Sequential, classifier: Classifier, photographs: ImageSet, ball: Ball
) -> Delta:
    """Run one of our attacks, non-targeted."""
    generator = torch.Generator().manual_seed(0)
    *_, last = attack(classifier, photographs, ball, target=None, generator=generator)
    return last.delta


def floor(classifier: Classifier, photographs: ImageSet, passes: Passes) -> float:
    """Seconds of as many bare forward and backward passes, in batches of 32."""
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
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    plain = load_classifier(arguments.model)
    photographs = load_natural(arguments.natural, plain.shape)
    cohort = load_cohort(arguments.cohort, plain.shape, plain.class_names)
    ball = Ball("l2", eps_from_zeta(arguments.zeta, cohort.images.mean_norm("l2")))
    folded = fold(plain)
    step = arguments.step
    runs: dict[str, tuple[Classifier, Callable[[Classifier], Delta]]] = {
        f"ART `UniversalPerturbation`, FGSM {step:g}, 1 pass": (
            plain,
            lambda victim: art(victim, photographs, ball, step),
        ),
        f"`sequential:step_size={step:g}`, 1 pass": (
            folded,
            lambda victim: ours(Sequential(step_size=step), victim, photographs, ball),
        ),
        "`gradient:steps=150`": (
            folded,
            lambda victim: ours(Gradient(steps=150), victim, photographs, ball),
        ),
    }
    clean = predict_clean(plain, cohort)
    print("| method | fooling rate (95 % interval) | image passes | seconds | seconds / floor |")
    print("|---|---|---|---|---|")
    for name, (classifier, run) in runs.items():
        started = time.perf_counter()
        with count_passes(classifier) as passes:
            delta = run(classifier)
        seconds = time.perf_counter() - started
        least = floor(folded, photographs, passes)
        found = score(plain, ball.project(delta), clean).fooled
        low, high = found.ci95
        rate = f"{100 * found.rate:.1f} % ({100 * low:.1f} - {100 * high:.1f})"
        print(
            f"| {name} | {rate} | {passes.total} | {seconds:.0f} | {seconds / least:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
