"""Makes models.safetensors and models.txt beside this file, which ModelTests reads, with torchvision.

models.txt: a line for each model: name, parameters, MD5 of the lines "key shape" of its state_dict.
models.safetensors: outputs of models whose weights are given by a formula, and a few weights drawn from seed 0.
"""
import hashlib
import os

import torch
import torchvision
from safetensors.torch import save_file

PERIOD = 8191
PATTERN = torch.tensor([(i * i * 31 + i * 17) % PERIOD / PERIOD - 0.5 for i in range(PERIOD)], dtype=torch.float32)


def pattern(count, offset):
    repeated = PATTERN.roll(-(offset % PERIOD)).repeat((count + PERIOD - 1) // PERIOD)
    return repeated[:count].clone()


def fill(model):
    for index, (name, tensor) in enumerate(model.state_dict().items()):
        if tensor.dim() == 0:
            continue
        values = pattern(tensor.numel(), 101 * index).reshape(tensor.shape)
        if tensor.dim() > 1:
            values *= (24 / (tensor.numel() / tensor.shape[0])) ** 0.5
        elif name.endswith("running_var"):
            values = values * 0.5 + 1
        elif name.endswith("weight"):
            values = values * 0.2 + 0.5
        else:
            values *= 0.2
        tensor.copy_(values)
    return model


def images(*shape):
    return pattern(torch.Size(shape).numel(), 7).reshape(shape) * 4


class Same(torch.nn.Module):
    """Pads by TensorFlow's rule, then applies a layer."""

    def __init__(self, layer, kernel, stride, value=0.0):
        super().__init__()
        self.layer, self.kernel, self.stride, self.value = layer, kernel, stride, value

    def forward(self, x):
        amounts = []
        for size in (x.shape[-1], x.shape[-2]):
            total = max(0, (-(-size // self.stride) - 1) * self.stride + self.kernel - size)
            amounts += [total // 2, total - total // 2]
        return self.layer(torch.nn.functional.pad(x, amounts, value=self.value))


def conv(inputs, outputs, kernel, stride):
    return Same(torch.nn.Conv2d(inputs, outputs, kernel, stride, bias=False), kernel, stride)


def norm(channels):
    return torch.nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class Unit(torch.nn.Module):
    def __init__(self, inputs, filters, stride):
        super().__init__()
        self.main_layers = torch.nn.Sequential(
            conv(inputs, filters, 3, stride), norm(filters), torch.nn.ReLU(), conv(filters, filters, 3, 1),
            norm(filters))
        self.skip_layers = torch.nn.Sequential()
        if stride > 1:
            self.skip_layers = torch.nn.Sequential(conv(inputs, filters, 1, stride), norm(filters))

    def forward(self, x):
        return torch.relu(self.main_layers(x) + self.skip_layers(x))


class KerasResNet34(torch.nn.Module):
    def __init__(self):
        super().__init__()
        pool = Same(torch.nn.MaxPool2d(3, 2), 3, 2, -float("inf"))
        self.stem = torch.nn.Sequential(conv(1, 64, 7, 2), norm(64), torch.nn.ReLU(), pool)
        self.units = torch.nn.Sequential()
        previous = 64
        for filters in [64] * 3 + [128] * 4 + [256] * 6 + [512] * 3:
            self.units.append(Unit(previous, filters, 1 if filters == previous else 2))
            previous = filters
        self.head = torch.nn.Linear(512, 10)

    def forward(self, x):
        return self.head(self.units(self.stem(x)).mean((2, 3)))


def lenet5():
    nn = torch.nn
    model = nn.Module()
    model.features = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2))
    model.classifier = nn.Sequential(
        nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10))
    model.forward = lambda x: model.classifier(model.features(x).flatten(1))
    return model


def main():
    torch.set_grad_enabled(False)
    folder = os.path.dirname(os.path.abspath(__file__))
    zoo = torchvision.models
    lines, results = [], {}
    vggs = ["vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"]
    resnets = ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]
    for name in ["alexnet"] + vggs + ["googlenet"] + resnets:
        options = {"aux_logits": True, "init_weights": False} if name == "googlenet" else {}
        model = getattr(zoo, name)(**options)
        state = "".join(f"{key} {list(value.shape)}\n" for key, value in model.state_dict().items())
        count = sum(parameter.numel() for parameter in model.parameters())
        lines.append(f"{name} {count} {hashlib.md5(state.encode()).hexdigest()}")
    with open(os.path.join(folder, "models.txt"), "w") as file:
        file.write("\n".join(lines) + "\n")

    sizes = {"alexnet": (71, 65)} | dict.fromkeys(vggs, (37, 45)) | dict.fromkeys(resnets, (67, 75))
    for name, size in sizes.items():
        results[f"forward.{name}"] = fill(getattr(zoo, name)(num_classes=10)).eval()(images(2, 3, *size))
    googlenet = fill(zoo.GoogLeNet(10, init_weights=False, dropout=0.0, dropout_aux=0.0, transform_input=True))
    results["forward.googlenet"] = googlenet.eval()(images(2, 3, 70, 66))
    training = googlenet.train()(images(2, 3, 70, 66))
    results["training.googlenet"] = torch.stack([training.logits, training.aux_logits2, training.aux_logits1])
    results["forward.keras_resnet34"] = fill(KerasResNet34()).eval()(images(2, 1, 28, 45))
    results["forward.lenet5"] = fill(lenet5()).forward(images(2, 1, 28, 28))

    for name, make in [("alexnet", zoo.alexnet), ("resnet50", zoo.resnet50),
                       ("googlenet", lambda: zoo.googlenet(init_weights=True))]:
        torch.manual_seed(0)
        parameters = list(make().parameters())
        results[f"seed.{name}"] = torch.cat([parameters[0].flatten()[:8], parameters[-2].flatten()[-8:]])
    save_file({name: value.contiguous() for name, value in results.items()},
              os.path.join(folder, "models.safetensors"))


if __name__ == "__main__":
    main()
