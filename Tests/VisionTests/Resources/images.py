"""Makes images/ and images.safetensors beside this file, which ImageFileTests reads, with Pillow."""
import os

import numpy
from PIL import Image
from safetensors.numpy import save_file

folder = os.path.dirname(os.path.abspath(__file__))
rows, columns, channels = numpy.meshgrid(numpy.arange(19), numpy.arange(23), numpy.arange(4), indexing="ij")
pixels = ((rows * 11 + columns * 7 + channels * 60 + rows * columns) % 256).astype(numpy.uint8)
images = {
    "gray": Image.fromarray(pixels[..., 0]),
    "gray_alpha": Image.fromarray(pixels[..., :2], "LA"),
    "rgb": Image.fromarray(pixels[..., :3]),
    "rgba": Image.fromarray(pixels),
    "palette": Image.fromarray(pixels[..., :3]).quantize(13),
    "bits": Image.fromarray(pixels[..., 0]).convert("1"),
}
references = {}
for name, image in images.items():
    image.save(os.path.join(folder, "images", name + ".png"))
for name, kind in [("gray", "pgm"), ("rgb", "ppm"), ("bits", "pbm")]:
    images[name].save(os.path.join(folder, "images", "plain." + kind))
    images["plain." + kind] = images[name]
images["palette"] = images["palette"].convert("RGB")
images["bits"] = images["plain.pbm"] = images["bits"].convert("L")
images["rgb.as_gray"] = images["rgb"].convert("L")
images["rgba.as_rgb"] = Image.fromarray(pixels[..., :3])
images["gray.as_rgba"] = images["gray"].convert("RGBA")
for name, image in images.items():
    values = numpy.asarray(image)
    values = values[None] if values.ndim == 2 else values.transpose(2, 0, 1)
    references[name] = numpy.ascontiguousarray(values)
save_file(references, os.path.join(folder, "images.safetensors"))
