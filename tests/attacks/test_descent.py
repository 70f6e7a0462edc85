"""Steps against those of torch."""

import torch

from attack_runs import rng
from oracles import grey_photographs
from straylight.attacks.ball import Ball
from straylight.attacks.descent import MomentumDescent


def test_l2_steps_are_those_of_torch_on_normalised_gradients() -> None:
    photographs, ball, n = grey_photographs(20, (1, 8, 8)), Ball("l2", 0.7), 12
    curvature = torch.rand(1, 1, 8, 8, generator=rng())

    def loss(batch: torch.Tensor, delta: torch.Tensor) -> torch.Tensor:
        images = photographs.images(batch)
        return (curvature * (images + delta - 0.3).square()).sum((1, 2, 3)).mean()

    def gradient(batch: torch.Tensor, delta: torch.Tensor) -> torch.Tensor:
        point = delta.detach().requires_grad_()
        (grad,) = torch.autograd.grad(loss(batch, point), point)
        return grad

    descent, draws, found = MomentumDescent(ball, n), rng(), [torch.zeros(1, 1, 8, 8)]
    for _ in range(n):
        batch = torch.randint(20, (5,), generator=draws)
        found.append(descent.step(found[-1], gradient(batch, found[-1])))
    generator, delta = rng(), torch.zeros(1, 1, 8, 8, requires_grad=True)
    optimiser = torch.optim.SGD([delta], lr=ball.eps, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, n, eta_min=ball.eps / 20)
    for expected in found[1:]:
        optimiser.zero_grad()
        loss(torch.randint(20, (5,), generator=generator), delta).backward()  # type: ignore[no-untyped-call]
        assert delta.grad is not None
        delta.grad /= delta.grad.norm()
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            delta.mul_(min(1.0, ball.eps / float(delta.norm())))
        torch.testing.assert_close(expected, delta.detach())
