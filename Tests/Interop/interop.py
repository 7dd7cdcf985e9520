"""Weights saved by PyTorch load in Tapestry and the other way round, and give the same outputs; the same seed gives the
same first weights. Run from the package's folder: python3 Tests/Interop/interop.py [PROGRAM], where PROGRAM is the built
`interop` (built here if not given). Needs torch, numpy and safetensors; says so and exits 0 where they are absent.
"""

import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy
    import safetensors.torch
    import torch
except ImportError as error:
    print(f"interop: skipped, {error.name} is not installed")
    sys.exit(0)

TOLERANCE = 1e-5


class CNN(torch.nn.Module):
    """Beside it in Weights/main.swift, layer for layer."""

    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 6, 3, padding=1)
        self.bn1 = torch.nn.BatchNorm2d(6)
        self.conv2 = torch.nn.Conv2d(6, 8, 3, stride=2)
        self.bn2 = torch.nn.BatchNorm2d(8)
        self.out = torch.nn.Linear(8 * 3 * 3, 5)

    def forward(self, x):
        x = torch.nn.functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 2)
        x = torch.relu(self.bn2(self.conv2(x)))
        return self.out(x.flatten(1))


def program():
    if len(sys.argv) > 1:
        return sys.argv[1]
    subprocess.run(["swift", "build", "--product", "interop"], check=True, stdout=subprocess.DEVNULL)
    folder = subprocess.run(["swift", "build", "--show-bin-path"], check=True, capture_output=True, text=True).stdout
    return str(pathlib.Path(folder.strip()) / "interop")


failures = 0


def check(name, difference, limit):
    global failures
    fits = difference <= limit
    failures += not fits
    print(f"{'ok  ' if fits else 'FAIL'} {name:60} largest difference {difference:.1e}")


def difference(a, b):
    if a.shape != b.shape:
        return float("inf")
    return float((a.double() - b.double()).abs().max()) if a.numel() else 0.0


def largest_difference(a, b):
    return max(difference(a[k], b[k]) for k in a) if a.keys() == b.keys() else float("inf")


def output(model, x):
    model.eval()
    with torch.no_grad():
        return model(x)


def first_weights(interop, folder):
    for seed in [0, 1, 12345]:
        interop("init", seed, folder / "first.safetensors")
        torch.manual_seed(seed)
        found = safetensors.torch.load_file(folder / "first.safetensors")
        check(f"first weights of seed {seed}", largest_difference(found, CNN().state_dict()), 0)


def ours_in_torch(interop, folder):
    interop("train", 3, folder)
    x, y = (torch.from_numpy(numpy.load(folder / f"{name}.npy")) for name in ["input", "output"])
    states = {"weights.safetensors": safetensors.torch.load_file(folder / "weights.safetensors")}
    checkpoint = safetensors.torch.load_file(folder / "checkpoint.safetensors")
    states["checkpoint.safetensors"] = {
        name.removeprefix("model."): tensor for name, tensor in checkpoint.items() if name.startswith("model.")
    }
    for name in ["stored.npz", "deflated.npz"]:
        states[name] = {key: torch.from_numpy(value) for key, value in numpy.load(folder / name).items()}
    for name, state in states.items():
        model = CNN()
        model.load_state_dict(state, strict=True)
        check(f"ours in PyTorch: {name}", difference(output(model, x), y), TOLERANCE)


def torchs_here(interop, folder):
    torch.manual_seed(4)
    model = CNN()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 4])
    for _ in range(5):
        loss = torch.nn.functional.cross_entropy(model(torch.randn(8, 1, 14, 14) * 2 + 1), torch.arange(8) % 5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    x = torch.randn(4, 1, 14, 14)
    state = model.state_dict()
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    training = {
        "model": state, "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict(), "epoch": 5,
        "generator": torch.get_rng_state(), "best": float("inf"), "classes": ["a", "b"], "input": (1, 14, 14),
    }
    safetensors.torch.save_file(state, folder / "torch.safetensors")
    numpy.savez(folder / "torch.npz", **arrays)
    numpy.savez_compressed(folder / "torch-deflated.npz", **arrays)
    torch.save(state, folder / "torch.pth")
    torch.save(training, folder / "training.pt")
    torch.save(training, folder / "protocol-4.pt", pickle_protocol=4)
    torch.save(dict(model.named_parameters()) | dict(model.named_buffers()), folder / "parameters.pt")
    numpy.save(folder / "x.npy", x.numpy())
    expected = output(model, x)
    names = ["torch.safetensors", "torch.npz", "torch-deflated.npz", "torch.pth", "training.pt", "protocol-4.pt"]
    for name in names + ["parameters.pt"]:
        interop("run", folder / name, folder / "x.npy", folder / "y.npy")
        found = torch.from_numpy(numpy.load(folder / "y.npy"))
        check(f"PyTorch's here: {name}", difference(found, expected), TOLERANCE)

    # The 16-bit formats: what PyTorch computes with the rounded weights is computed here.
    for dtype in [torch.float16, torch.bfloat16]:
        half = {name: t.to(dtype) if t.is_floating_point() else t for name, t in state.items()}
        rounded = CNN()
        rounded.load_state_dict(half)
        for name, save in [("half.safetensors", safetensors.torch.save_file), ("half.pth", torch.save)]:
            save(half, folder / name)
            interop("run", folder / name, folder / "x.npy", folder / "y.npy")
            found = torch.from_numpy(numpy.load(folder / "y.npy"))
            check(f"PyTorch's here: {name} of {dtype}", difference(found, output(rounded, x)), TOLERANCE)


def arrays_there_and_back(interop, folder):
    source = numpy.random.default_rng(5)
    arrays = {}
    for code in ["?", "u1", "<i4", ">i4", "<i8", "<f4", ">f4", "<f8", "<f2", "i1", "<i2", "<u2", "<u4"]:
        for shape in [(), (5,), (3, 4), (2, 0, 3), (2, 3, 4)]:
            array = numpy.asarray(source.normal(size=shape) * 50).astype("i4").astype(code)
            arrays[f"{code} {shape}"] = array
            arrays[f"{code} {shape} Fortran"] = numpy.asfortranarray(array)
    worst = 0.0
    for array in arrays.values():
        numpy.save(folder / "a.npy", array)
        interop("copy", folder / "a.npy", folder / "b.npy")
        copy = numpy.load(folder / "b.npy")
        same = copy.shape == array.shape and numpy.can_cast(array.dtype, copy.dtype) and (copy == array).all()
        worst = worst if same else float("inf")
    check(f"{len(arrays)} arrays of 13 types through .npy", worst, 0)
    numpy.savez_compressed(folder / "a.npz", **arrays)
    interop("copy", folder / "a.npz", folder / "b.npz")
    copies = numpy.load(folder / "b.npz")
    same = set(copies) == set(arrays) and all((copies[name] == arrays[name]).all() for name in arrays)
    check("the same through .npz", 0.0 if same else float("inf"), 0)


def main():
    path = program()

    def interop(*words):
        subprocess.run([path, *map(str, words)], check=True)

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for part in [first_weights, ours_in_torch, torchs_here, arrays_there_and_back]:
            part(interop, folder)
    print(f"interop: {'FAILED' if failures else 'passed'}, PyTorch {torch.__version__}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
