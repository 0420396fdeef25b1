"""AdamW on one screen (Kingma and Ba 2015, Loshchilov and Hutter 2019), for a list of numbers.

The trainer of the pipeline does the same to millions of parameters in one kernel.
"""

from dataclasses import dataclass, field
from math import sqrt


@dataclass
class AdamW:
    """Updates parameters by their gradients; it remembers two running means of each."""

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.95)
    eps: float = 1e-8
    weight_decay: float = 0.1
    steps: int = 0
    mean: dict[int, float] = field(default_factory=dict)
    square: dict[int, float] = field(default_factory=dict)

    def step(self, parameters: list[float], gradients: list[float]) -> None:
        """Update the parameters in place."""
        self.steps += 1
        first, second = self.betas
        for place, gradient in enumerate(gradients):
            # Weight decay pulls towards 0, whatever the gradient says.
            parameters[place] *= 1 - self.lr * self.weight_decay
            self.mean[place] = first * self.mean.get(place, 0.0) + (1 - first) * gradient
            self.square[place] = second * self.square.get(place, 0.0) + (1 - second) * gradient**2
            # Both means begin at 0; this takes out that bias.
            mean = self.mean[place] / (1 - first**self.steps)
            square = self.square[place] / (1 - second**self.steps)
            # The step is about lr, whether gradients are large or small: only their steadiness counts.
            parameters[place] -= self.lr * mean / (sqrt(square) + self.eps)


if __name__ == "__main__":
    parameters = [3.0, -2.0]
    optimizer = AdamW(lr=0.1, weight_decay=0.0)
    for step in range(41):
        x, y = parameters
        if step % 10 == 0:
            print(f"step {step:2}: x = {x:6.3f}, y = {y:6.3f}, loss = {x**2 + 10 * y**2:.4f}")
        optimizer.step(parameters, [2 * x, 20 * y])
