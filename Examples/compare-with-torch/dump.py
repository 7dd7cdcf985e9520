"""Writes one training step of a PyTorch model to a safetensors file, for `swift run compare-with-torch --load`.

    python dump.py --model resnet18 --out run.safetensors
    python dump.py --module my_model.py:make_model --shape 8,3,32,32 --out run.safetensors

The file holds the model's state before the step, the input and target, what every module gave, the loss, and the
gradient of every parameter. Needs torch and safetensors; torchvision for its models.
"""
import argparse
import importlib.util
import sys

import torch
from safetensors.torch import save_file
from torch import nn


class LeNet5(nn.Module):
    """The same as `vision.models.LeNet5`."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2)
        )
        self.classifier = nn.Sequential(
            nn.Linear(16 * 5 * 5, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10)
        )

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def make(arguments):
    """The model, and the shape of its input."""
    if arguments.module:
        path, _, function = arguments.module.partition(":")
        spec = importlib.util.spec_from_file_location("model", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return getattr(module, function or "make_model")(), "4,1,28,28"
    if arguments.model == "lenet5":
        return LeNet5(), "4,1,28,28"
    import torchvision

    return torchvision.models.get_model(arguments.model, weights=None), "2,3,64,64"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="lenet5", help="lenet5 (default), or a model of torchvision")
    parser.add_argument("--module", metavar="FILE:FUNCTION", help="a function of your own that makes the model")
    parser.add_argument("--shape", metavar="N,C,H,W", help="shape of the input")
    parser.add_argument("--eval", action="store_true", help="in evaluation mode: no dropout, running statistics")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True, metavar="FILE")
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    model, shape = make(arguments)
    model.train(not arguments.eval)
    x = torch.randn([int(size) for size in (arguments.shape or shape).split(",")])
    # Before the step: batch normalisation changes its running statistics in it.
    tensors = {"state " + name: value.clone() for name, value in model.state_dict().items()}

    def recorder(name):
        calls = 0

        def hook(module, inputs, output):
            nonlocal calls
            calls += 1
            output = output[0] if isinstance(output, tuple) else output
            if isinstance(output, torch.Tensor):
                # A copy: an in-place ReLU may come next.
                tensors[f"output {name or 'model'}" + (f" #{calls}" if calls > 1 else "")] = output.detach().clone()

        return hook

    for name, module in model.named_modules():
        module.register_forward_hook(recorder(name))
    torch.manual_seed(arguments.seed)  # what dropout draws can be drawn again
    output = model(x)
    target = torch.randint(0, output.shape[1], [len(x)])
    loss = nn.functional.cross_entropy(output, target)
    loss.backward()

    tensors |= {"input": x, "target": target, "loss": loss.detach()}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            tensors["grad " + name] = parameter.grad
    mode = "eval" if arguments.eval else "train"
    metadata = {"format": "tapestry-compare", "model": arguments.model, "mode": mode, "seed": str(arguments.seed)}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, arguments.out, metadata)
    print(f"{arguments.out}: {arguments.model}, {len(tensors)} tensors", file=sys.stderr)


if __name__ == "__main__":
    main()
