#!/usr/bin/env python3
"""The lessons' recipes on all of MNIST in PyTorch, to lay beside `swift run 01-pytorch-mnist-cnn --data DIR` and so on.

  recipes.py 01|02|02-resnet|03|05|resnet34 DIR [--seed N] [--epochs N] [--preset tiny] [--threads N]

DIR holds the four MNIST files as .gz. Prints the accuracy on the 10,000 test images after each pass. `02-resnet` is the
second network of lesson 02. `resnet34` is that of `swift run resnet34 --preset full --data DIR`, with `--preset tiny`
that of `swift run resnet34`.
"""
import argparse
import gzip
import os
import sys
import time

import numpy
import torch
import torch.nn.functional as F
from torch import nn


def images(folder, name):
    def file(kind, offset):
        return numpy.frombuffer(gzip.open(f"{folder}/{name}-{kind}-ubyte.gz").read(), numpy.uint8, offset=offset)

    pixels = torch.tensor(file("images-idx3", 16).reshape(-1, 1, 28, 28).astype(numpy.float32)) / 255
    return pixels, torch.tensor(file("labels-idx1", 8).astype(numpy.int64))


def convolutions():
    return [nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]


def lesson01():
    return nn.Sequential(*convolutions(), nn.Linear(32 * 49, 10))


def lesson05():
    return nn.Sequential(*convolutions(), nn.Linear(32 * 49, 256), nn.ReLU(), nn.Linear(256, 10))


def lesson02():
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.25), nn.Linear(64 * 196, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10))
    for name, parameter in model.named_parameters():
        nn.init.zeros_(parameter) if name.endswith("bias") else nn.init.xavier_uniform_(parameter)
    return model


def resnet34(momentum):
    sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../VisionTests/Resources"))
    from models import KerasResNet34  # which wants torchvision too

    model = KerasResNet34()
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_uniform_(module.weight)
        elif isinstance(module, nn.BatchNorm2d):
            module.momentum = momentum
    nn.init.xavier_uniform_(model.head.weight)
    nn.init.zeros_(model.head.bias)
    return model


def accuracy(forward, x, y):
    with torch.no_grad():
        return sum((forward(a).argmax(1) == b).sum().item() for a, b in zip(x.split(500), y.split(500))) / len(y)


def train(model, optimizer, training, test, batch, epochs, falling=False):
    """With `falling`, the rate falls to 0 along half a cosine, a little at each step."""
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*training), batch_size=batch, shuffle=True)
    scheduler = None
    if falling:
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs * len(loader))
    for epoch in range(epochs):
        model.train()
        total, start = 0.0, time.perf_counter()
        for x, y in loader:
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if scheduler:
                scheduler.step()
            total += loss.item() * len(y)
        seconds = time.perf_counter() - start
        found = accuracy(model.eval(), *test)
        print(f"epoch {epoch + 1}: loss {total / len(training[1]):.4f}, test accuracy {found * 100:.2f} %, "
              f"trained in {seconds:.0f} s", flush=True)


def refresh(model, images):
    """Once more through the images without training, then the first guess taken out of the running statistics."""
    model.train()
    with torch.no_grad():
        for batch in images[torch.randperm(len(images))].split(32):
            model(batch)
        for norm in model.modules():
            if isinstance(norm, nn.BatchNorm2d):
                left = (1 - norm.momentum) ** norm.num_batches_tracked.item()
                norm.running_mean /= 1 - left
                norm.running_var.copy_(((norm.running_var - left) / (1 - left)).clamp(min=0))


def lesson03(training, test, seed):
    """Plain descent on arrays, from weights that suit each layer and from small ones."""
    for name, spread in [("all learn", lambda n: (2 / n) ** 0.5), ("from small weights", lambda n: 0.01)]:
        torch.manual_seed(0)
        shapes = [(30, 1, 5, 5), (4320, 100), (100, 10)]
        w = []
        for shape, inputs, outputs in zip(shapes, (25, 4320, 100), (30, 100, 10)):
            w += [torch.randn(shape) * spread(inputs), torch.zeros(outputs)]
        for parameter in w:
            parameter.requires_grad_()

        def forward(x):
            x = F.max_pool2d(F.relu(F.conv2d(x, w[0], w[1])), 2).flatten(1)
            return F.relu(x @ w[2] + w[3]) @ w[4] + w[5]

        torch.manual_seed(seed)
        for _ in range(1000):
            rows = torch.randint(0, len(training[1]), (100,))
            loss = F.cross_entropy(forward(training[0][rows]), training[1][rows])
            with torch.no_grad():
                for parameter, gradient in zip(w, torch.autograd.grad(loss, w)):
                    parameter -= 0.1 * gradient
        print(f"{name}: test accuracy {accuracy(forward, *test) * 100:.2f} %", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lesson", choices=["01", "02", "02-resnet", "03", "05", "resnet34"])
    parser.add_argument("folder")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--preset", choices=["tiny", "full"], default="full")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    training, test = images(options.folder, "train"), images(options.folder, "t10k")
    seed = options.seed if options.seed is not None else {"02": 2, "02-resnet": 2, "03": 1}.get(options.lesson, 0)
    torch.manual_seed(seed)
    if options.lesson == "01":
        model = lesson01()
        train(model, torch.optim.Adam(model.parameters(), lr=1e-3), training, test, 50, options.epochs or 2)
    elif options.lesson == "02":
        model = lesson02()
        kept = (training[0][5000:], training[1][5000:])
        train(model, torch.optim.NAdam(model.parameters(), lr=1e-3, eps=1e-7), kept, test, 32, options.epochs or 10)
    elif options.lesson == "02-resnet":
        model = resnet34(momentum=0.01)
        kept = (training[0][5000:], training[1][5000:])
        optimizer = torch.optim.NAdam(model.parameters(), lr=1e-3, eps=1e-7)
        train(model, optimizer, kept, test, 32, options.epochs or 1, falling=True)
        refresh(model, kept[0])
        print(f"with the first guess taken out of the statistics: {accuracy(model.eval(), *test) * 100:.2f} %")
    elif options.lesson == "03":
        lesson03(training, test, seed)
    elif options.lesson == "resnet34":
        tiny = options.preset == "tiny"
        model = resnet34(momentum=0.1 if tiny else 0.01)
        if tiny:
            training, test = [t[:2400] for t in training], [t[:1000] for t in test]
        train(model, torch.optim.NAdam(model.parameters(), lr=1e-3), training, test, 32,
              options.epochs or (2 if tiny else 10), falling=True)
    else:
        model = lesson05()
        centred = [((x - 0.5) / 0.5, y) for x, y in (training, test)]
        train(model, torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9), *centred, 128, options.epochs or 10)


if __name__ == "__main__":
    main()
