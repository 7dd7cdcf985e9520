#!/usr/bin/env python3
"""PyTorch's side of the benchmarks: the workloads of `bench`, answered one request at a time.

  torch_peer.py --threads 2     reads lines "W1 10" (what to time, and how often) on standard input and answers each
                                with one JSON line, so that `compare` can alternate it with `bench --serve`

Workloads: W1 to W7 (training steps), W8a (per-op overhead), W8b (a step at batch 1), W8c and W8d (inference); and single
kernels, conv/N,C,H,O,K,pad,stride/forward|weights|data and gemm/m,k,n[,nn|nt|tn|tt]; and torchvision's transforms, augment/KIND/C,H,W/single|batch. Inputs are random.
"""
import argparse
import json
import resource
import statistics
import sys
import time

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--threads", type=int, default=2)
arguments = arguments.parse_args()

import torch
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(arguments.threads)
torch.manual_seed(0)


def training(model, optimizer, shape, classes=10):
    """A step: gradients forgotten, forward, cross-entropy, backward, the optimiser's step."""
    x, y = torch.randn(shape), torch.randint(0, classes, (shape[0],))
    optimizer = optimizer(model.parameters())
    model.train()

    def step():
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    return step, shape[0]


def two_convolutions(*head):
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), *head)


def w1():
    return training(two_convolutions(nn.Linear(1568, 10)), lambda p: torch.optim.Adam(p, lr=0.01), (50, 1, 28, 28))


def w2():
    model = two_convolutions(nn.Linear(1568, 256), nn.ReLU(), nn.Linear(256, 10))
    return training(model, lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9), (128, 1, 28, 28))


def w3():
    model = nn.Sequential(nn.Conv2d(1, 30, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                          nn.Linear(4320, 100), nn.ReLU(), nn.Linear(100, 10))
    return training(model, lambda p: torch.optim.SGD(p, lr=0.1), (100, 1, 28, 28))


def w4():
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.25), nn.Linear(12544, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10))
    return training(model, torch.optim.NAdam, (32, 1, 28, 28))


def w5():
    model = nn.Sequential(
        nn.Conv2d(3, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(800, 32), nn.ReLU(), nn.Linear(32, 10))
    return training(model, torch.optim.Adam, (128, 3, 32, 32))


class ResidualBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs))
        self.skip = nn.Sequential() if stride == 1 and inputs == outputs else nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return torch.relu(self.body(x) + self.skip(x))


def residual_network(channels, blocks, classes):
    layers = [nn.Conv2d(channels, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    width = 64
    for stage, count in enumerate(blocks):
        for block in range(count):
            layers.append(ResidualBlock(width, 64 << stage, 2 if stage and not block else 1))
            width = 64 << stage
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))


def w6():
    return training(residual_network(1, (3, 4, 6, 3), 10), torch.optim.NAdam, (32, 1, 28, 28))


def w7():
    model = residual_network(3, (2, 2, 2, 2), 1000)  # ResNet-18, layer for layer torchvision.models.resnet18
    return training(model, lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9), (8, 3, 224, 224), 1000)


def w8a():
    x, c = torch.ones(1, requires_grad=True), torch.ones(1)

    def step():
        y = x
        for _ in range(1000):
            y = y * c
        y.backward()
        x.grad = None
    return step, 1000


def w8b():
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    return training(model, lambda p: torch.optim.SGD(p, lr=0.01), (1, 784))


def inference(batch):
    model, x = two_convolutions(nn.Linear(1568, 10)).eval(), torch.randn(batch, 1, 28, 28)

    def step():
        with torch.no_grad():
            return model(x)
    return step, batch


def convolution(shape, direction):
    n, c, h, o, k, pad, stride = map(int, shape.split(","))
    x, w, b = torch.randn(n, c, h, h), torch.randn(o, c, k, k), torch.randn(o)
    y = F.conv2d(x, w, b, stride, pad)
    dy = torch.randn_like(y)

    def backward(mask):
        return lambda: torch.ops.aten.convolution_backward(
            dy, x, w, [o], [stride] * 2, [pad] * 2, [1, 1], False, [0, 0], 1, mask)
    step = {"forward": lambda: F.conv2d(x, w, b, stride, pad), "weights": backward([False, True, True]),
            "data": backward([True, False, False])}[direction]
    return step, n


def matrix_product(shape):
    sizes, kind = shape.split(",")[:3], (shape.split(",") + ["nn"])[3]
    m, k, n = map(int, sizes)
    a = torch.randn(k, m).T if kind[0] == "t" else torch.randn(m, k)
    b = torch.randn(n, k).T if kind[1] == "t" else torch.randn(k, n)
    out = torch.empty(m, n)
    return lambda: torch.mm(a, b, out=out), 1


def augmentation(kind, shape, mode):
    """64 images through a transform, each with draws of its own: torchvision draws once a call."""
    from torchvision import transforms
    channels, height, width = map(int, shape.split(","))
    steps = {"flip": transforms.RandomHorizontalFlip(), "rotate": transforms.RandomRotation(15),
             "resize": transforms.Resize([32, 32]), "crop": transforms.RandomCrop(28)}
    transform = transforms.Compose(list(steps.values())) if kind == "chain" else steps[kind]
    if kind == "crop":
        height = width = 32
    images = torch.rand(64, channels, height, width)
    if kind == "resize" and mode == "batch":  # nothing to draw: one call does
        return lambda: transform(images), 64
    singles = list(images.clone())
    if mode == "batch":
        return lambda: torch.stack([transform(image) for image in singles]), 64
    return lambda: [transform(image) for image in singles], 64


WORKLOADS = {"W1": w1, "W2": w2, "W3": w3, "W4": w4, "W5": w5, "W6": w6, "W7": w7, "W8a": w8a, "W8b": w8b,
             "W8c": lambda: inference(1), "W8d": lambda: inference(256)}
made = {}


def workload(name):
    """The step of a workload and its items; made at its first request, kept, warmed up."""
    if name not in made:
        kind, *rest = name.split("/")
        if kind == "conv":
            step, items = convolution(*rest)
        elif kind == "gemm":
            step, items = matrix_product(*rest)
        elif kind == "augment":
            step, items = augmentation(*rest)
        else:
            step, items = WORKLOADS[name]()
        for _ in range(3):
            step()
        made[name] = step, items
    return made[name]


def measure(name, steps, limit=30):
    step, items = workload(name)
    times, end = [], time.perf_counter() + limit
    while len(times) < steps and (not times or time.perf_counter() < end):
        start = time.perf_counter()
        step()
        times.append((time.perf_counter() - start) * 1e3)
    times.sort()
    return {"workload": name, "threads": arguments.threads, "median_ms": round(statistics.median(times), 4),
            "min_ms": round(times[0], 4), "p90_ms": round(times[min(len(times) - 1, len(times) * 9 // 10)], 4),
            "steps": len(times), "items_per_step": items,
            "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)}


print(json.dumps({"version": torch.__version__}), flush=True)
for line in sys.stdin:
    words = line.split()
    if not words:
        continue
    try:
        answer = measure(words[0], int(words[1]) if len(words) > 1 else 20)
    except Exception as error:  # told to whoever asked; the next request may be a good one
        answer = {"workload": words[0], "error": f"{type(error).__name__}: {error}"[:200]}
    print(json.dumps(answer), flush=True)
