"""Makes transforms.safetensors beside this file, which TransformTests reads, with torchvision.

Images are given by a formula. "functional.*" have fixed parameters; "random.*" are what classes make of images of a
batch one after the other from seed 5.
"""
import os

import torch
import torchvision.transforms as T
import torchvision.transforms.functional as F
from safetensors.torch import save_file
from torchvision.transforms import InterpolationMode

BILINEAR = InterpolationMode.BILINEAR
results = {}


def image(channels, height, width):
    """Samples in [0, 1] with 251 values; as bytes in 0...250."""
    c, y, x = torch.meshgrid(torch.arange(channels), torch.arange(height), torch.arange(width), indexing="ij")
    return ((x * x * 3 + y * 17 + x * y * 5 + c * 71) % 251).float() / 250


def add(name, function, shape=(3, 11, 14), both=True):
    results["functional." + name] = function(image(*shape)).contiguous()
    if both:
        results["functional.bytes." + name] = function((image(*shape) * 250).round().to(torch.uint8)).contiguous()


add("hflip", F.hflip)
add("vflip", F.vflip)
add("crop", lambda x: F.crop(x, 2, 3, 7, 6))
add("crop_outside", lambda x: F.crop(x, -2, 10, 15, 9))
add("center_crop", lambda x: F.center_crop(x, [8, 9]))
add("center_crop_larger", lambda x: F.center_crop(x, [14, 9]))
for mode in ["constant", "edge", "reflect", "symmetric"]:
    add(f"pad_{mode}", lambda x: F.pad(x, [1, 2, 3, 4], 0 if mode != "constant" else 1, mode))
add("pad_negative", lambda x: F.pad(x, [-2, 3]))
for name, size in [("up", [17, 23]), ("down", [5, 4]), ("mixed", [20, 6])]:
    add(f"resize_nearest_{name}", lambda x: F.resize(x, size, InterpolationMode.NEAREST))
    add(f"resize_nearest_exact_{name}", lambda x: F.resize(x, size, InterpolationMode.NEAREST_EXACT))
    add(f"resize_bilinear_{name}", lambda x: F.resize(x, size, BILINEAR, antialias=False))
    add(f"resize_antialias_{name}", lambda x: F.resize(x, size, BILINEAR, antialias=True))
add("resize_shorter", lambda x: F.resize(x, [8]))
add("resize_longest", lambda x: F.resize(x, [8], max_size=9))
add("resize_tall", lambda x: F.resize(x, [8]), (1, 13, 5))
add("resize_one", lambda x: F.resize(x, [3, 5]), (1, 1, 1))
add("resized_crop", lambda x: F.resized_crop(x, 1, 2, 8, 7, [5, 6]))
for angle in [15, -37.5, 90, 180]:
    add(f"rotate_{angle}", lambda x: F.rotate(x, angle))
    add(f"rotate_bilinear_{angle}", lambda x: F.rotate(x, angle, BILINEAR))
    add(f"rotate_expand_{angle}", lambda x: F.rotate(x, angle, BILINEAR, expand=True))
add("rotate_center", lambda x: F.rotate(x, 20, BILINEAR, center=[2, 3]))
add("rotate_fill", lambda x: F.rotate(x, 33, fill=[0.25, 0.5, 1.0]), both=False)
add("rotate_fill_bilinear", lambda x: F.rotate(x, 33, BILINEAR, fill=[0.25, 0.5, 1.0]), both=False)
add("affine", lambda x: F.affine(x, 10, [2, -1], 1.3, [5.0, -8.0]))
add("affine_bilinear", lambda x: F.affine(x, 10, [2, -1], 0.7, [5.0, -8.0], BILINEAR))
add("affine_center", lambda x: F.affine(x, -25, [0, 1], 0.9, [0.0, 12.0], BILINEAR, fill=[0.5], center=[3, 4]),
    both=False)
add("normalize", lambda x: F.normalize(x, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]), both=False)
add("grayscale", F.rgb_to_grayscale)
add("grayscale3", lambda x: F.rgb_to_grayscale(x, 3))
for factor in [0.3, 1.7]:
    add(f"brightness_{factor}", lambda x: F.adjust_brightness(x, factor))
    add(f"contrast_{factor}", lambda x: F.adjust_contrast(x, factor))
    add(f"saturation_{factor}", lambda x: F.adjust_saturation(x, factor))
add("contrast_gray", lambda x: F.adjust_contrast(x, 0.6), (1, 6, 7))
for factor in [-0.5, -0.2, 0.1, 0.4]:
    add(f"hue_{factor}", lambda x: F.adjust_hue(x, factor))
add("erase", lambda x: F.erase(x, 2, 3, 4, 5, torch.tensor([0.1, 0.2, 0.3])[:, None, None]), both=False)

batch = torch.stack([image(3, 20, 24) * (1 - 0.1 * index) for index in range(6)])
for name, transform in [
    ("hflip", T.RandomHorizontalFlip()),
    ("vflip", T.RandomVerticalFlip(0.3)),
    ("crop", T.RandomCrop((16, 17))),
    ("crop_padded", T.RandomCrop(24, padding=[3, 4], padding_mode="reflect")),
    ("crop_needed", T.RandomCrop((26, 20), pad_if_needed=True, fill=0.5)),
    ("resized_crop", T.RandomResizedCrop(12)),
    ("resized_crop_narrow", T.RandomResizedCrop((9, 12), scale=(0.9, 1.0), ratio=(3.0, 4.0))),
    ("rotation", T.RandomRotation(30)),
    ("rotation_bilinear", T.RandomRotation((10, 80), BILINEAR, fill=0.5)),
    ("affine", T.RandomAffine(20, (0.1, 0.2), (0.8, 1.2), (-5, 5, 0, 10), BILINEAR)),
    ("jitter", T.ColorJitter(0.4, 0.3, (0.5, 1.5), 0.2)),
    ("erasing", T.RandomErasing(0.8)),
    ("erasing_random", T.RandomErasing(0.8, (0.1, 0.5), value="random")),
    ("compose", T.Compose([T.Resize(18), T.RandomHorizontalFlip(), T.RandomRotation(15, BILINEAR), T.Resize((16, 15)),
                           T.RandomCrop(13), T.Normalize([0.5], [0.25])])),
]:
    torch.manual_seed(5)
    results["random." + name] = torch.stack([transform(sample) for sample in batch]).contiguous()
# Small: the means of rows and columns tell where each pixel went.
for name in [name for name in results if name.startswith("random.")]:
    whole = results.pop(name)
    results[name + ".rows"], results[name + ".columns"] = whole.mean(-1).contiguous(), whole.mean(-2).contiguous()
save_file(results, os.path.join(os.path.dirname(os.path.abspath(__file__)), "transforms.safetensors"))
