"""Writes small right files for every fuzzed parser: seeds.py FOLDER makes FOLDER/<parser>/*. Standard library only."""
import collections, gzip, io, json, os, pickle, struct, sys, tarfile, types, zipfile, zlib

root = sys.argv[1]


def put(parser, name, data):
    os.makedirs(os.path.join(root, parser), exist_ok=True)
    with open(os.path.join(root, parser, name), "wb") as file:
        file.write(data)


# IDX and CIFAR
idx = struct.pack(">4I", 0x803, 2, 28, 28) + bytes(range(256)) * 6 + bytes(32)
put("idx", "plain", idx)
put("idx", "gzip", gzip.compress(idx, mtime=0))
put("idx", "gzip-members", gzip.compress(idx[:100], mtime=0) + gzip.compress(idx[100:], mtime=0))
idx_labels = struct.pack(">2I", 0x801, 2) + b"\x03\x09"
put("idx", "labels", idx_labels)
put("idx", "small", struct.pack(">4I", 0x803, 4, 2, 3) + bytes(24))
put("gzip", "labels", gzip.compress(idx_labels, mtime=0))
put("gzip", "stored", gzip.compress(idx_labels * 9, 0, mtime=0))
put("gzip", "named", b"\x1f\x8b\x08\x1c" + bytes(6) + b"\x02\x00ab" + b"name\0comment\0" + zlib.compress(idx_labels)[2:-4] + struct.pack("<2I", zlib.crc32(idx_labels), len(idx_labels)))
put("gzip", "plain", b"plain bytes")
put("cifar", "labels", bytes([0, 9, 19, 99]))
put("cifar", "two", b"".join(bytes([label]) + bytes(3072) for label in (3, 9)))

# tar
for name, mode in (("plain", "w"), ("gzip", "w:gz")):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=tarfile.USTAR_FORMAT) as archive:
        for path, data in (("inside/one", b"1234"), ("inside/deep/two", b"x" * 700), ("outside", b"")):
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    put("tar", name, buffer.getvalue())


# PNG: every colour type and depth, interlaced or not, each filter
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(colour, depth, interlaced):
    width, height = 5, 5
    bits = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour] * depth
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = b""
    for x, y, dx, dy in passes if interlaced else [(0, 0, 1, 1)]:
        columns = len(range(x, width, dx))
        for row in range(y, height, dy):
            if columns:
                rows += bytes([row % 5]) + bytes((37 * i + row) % 256 for i in range((columns * bits + 7) // 8))
    palette = chunk(b"PLTE", bytes(range(3 * 2 ** min(depth, 8)))[:768]) if colour == 3 and depth < 8 else b""
    if colour == 3 and depth == 8:
        palette = chunk(b"PLTE", bytes(i % 256 for i in range(768)))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + palette + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


for colour, depths in ((0, (1, 2, 4, 8, 16)), (2, (8, 16)), (3, (1, 2, 4, 8)), (4, (8, 16)), (6, (8, 16))):
    for depth in depths:
        for interlaced in (False, True):
            put("png", f"inside-{colour}-{depth}-{interlaced}", bytes([4, 4, (1, 2, 4, 8, 16).index(depth), (0, 2, 3, 4, 6).index(colour), interlaced, 6 if colour == 3 else 0, 0, 0]) + bytes(300))
        put("png", f"{colour}-{depth}-{interlaced}", png(colour, depth, interlaced))

# PNM
put("pnm", "p1", b"P1\n# comment\n3 2\n1 0 1\n0 1 0\n")
put("pnm", "p2", b"P2 3 2 15\n1 2 3 4 5 15\n")
put("pnm", "p3", b"P3 1 2 255 1 2 3 4 5 6")
put("pnm", "p4", b"P4 9 2\n" + bytes(4))
put("pnm", "p5", b"P5 3 2 255\n" + bytes(6))
put("pnm", "p5-16", b"P5 3 2 65535\n" + bytes(12))
put("pnm", "p6", b"P6 2 2 255\n" + bytes(12))


# safetensors and checkpoints
def safetensors(tensors, metadata=None):
    header, data = ({"__metadata__": metadata} if metadata else {}), b""
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


floats = lambda count: struct.pack(f"<{count}f", *(i / 4 for i in range(count)))
kinds = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
put("safetensors", "two", safetensors({"a": ("F32", [2, 3], floats(6)), "b": ("I64", [], bytes(8))}, {"k": "v"}))
put("safetensors", "kinds", safetensors({k: (k, [2], bytes(2 * size)) for k, size in kinds.items()}))
put("safetensors", "none", safetensors({}))
weights = {"model.weight": ("F32", [2, 3], floats(6)), "model.bias": ("F32", [2], floats(2))}
put("checkpoint", "bare", safetensors(weights, {"format": "tapestry-checkpoint", "epoch": "3"}))


# NumPy
def npy(descr, shape, data, version=1, fortran=False):
    text = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}".encode()
    start = 10 if version == 1 else 12
    text += b" " * (-(start + len(text) + 1) % 64) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text + data


for descr, size in (("<f4", 4), ("<f8", 8), (">f4", 4), ("<f2", 2), ("<i8", 8), ("<i4", 4), ("|u1", 1), ("|b1", 1), ("<u2", 2)):
    put("npy", descr.replace("<", "l").replace(">", "b").replace("|", ""), npy(descr, "(2, 3)", bytes(6 * size)))
put("npy", "fortran", npy("<f4", "(2, 3)", floats(6), version=2, fortran=True))
put("npy", "scalar", npy("<f4", "()", floats(1)))
for name, method in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("a.npy", npy("<f4", "(2, 3)", floats(6)))
        archive.writestr("b.npy", npy("<i8", "(1,)", bytes(8)))
        archive.writestr("note.txt", b"passed over")
    put("npz", name, buffer.getvalue())

# torch.save, with its functions' names
for name in ("torch", "torch._utils"):
    sys.modules[name] = types.ModuleType(name)


def named(module, name, value):
    value.__module__, value.__qualname__, value.__name__ = module, name, name
    setattr(sys.modules[module], name, value)
    return value


rebuild = named("torch._utils", "_rebuild_tensor_v2", lambda *arguments: None)
float_storage = named("torch", "FloatStorage", type("FloatStorage", (), {}))


class Storage:
    def __init__(self, key, count):
        self.key, self.count = key, count


class Stored:
    def __init__(self, key, shape, strides):
        self.arguments = (Storage(key, 6), 0, shape, strides, False, collections.OrderedDict())

    def __reduce__(self):
        return rebuild, self.arguments


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        return ("storage", float_storage, value.key, "cpu", value.count) if isinstance(value, Storage) else None


contents = {
    "state": collections.OrderedDict(weight=Stored("0", (2, 3), (3, 1)), view=Stored("0", (3, 2), (1, 3))),
    "nested": {"weights": Stored("0", (6,), (1,)), "epoch": 3, "lr": 0.1, "names": ["a", "b"], "flag": True, "none": None},
}
for name, value in contents.items():
    text = io.BytesIO()
    Pickler(text, 2).dump(value)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("model/data.pkl", text.getvalue())
        archive.writestr("model/byteorder", b"little")
        archive.writestr("model/data/0", floats(6))
        archive.writestr("model/version", b"3\n")
    put("pickle", name, text.getvalue())
    put("torch", name, buffer.getvalue())

# tables
put("csv", "header", b"label,a,b\n1,0.5,-2e3\n0,1,2\n")
put("csv", "bare", b"1,2,3\r\n4,5,6\r\n")
put("csv", "quoted", b'"label","a ""b"""\n"1","2"\n')
put("csv", "semicolons", b"0.5;-1;3\n0;;9")

# events: step, number, time, how many numbers of a histogram, these, the tag
put("events", "scalar", struct.pack(">qddQ", 3, 0.5, 1.7e9, 0) + b"loss/train")
put("events", "histogram", struct.pack(">qddQ4d", -1, 1e300, 0.0, 4, 1, 2, 2.5, float("nan")) + "größe".encode())

# scripts in cells, and what they print
put("cells", "script", b"""#!/usr/bin/env swift
import Tapestry
// %% [markdown] First
// # Title
// Some *text*, `code`, $x^2$ and [a link](https://example.org).
//
// - one
//   1. two
// > quoted
//
// | a | b |
// |:--|--:|
// | 1 | `|` |
//
// ```swift
// let x = 1
// ```
// ---
// %% Code
let x = "a \\(1 + (2)) b" // comment /* no */
/* nested /* comment */ */ let y = #"raw \\#(x)"# + \"\"\"
  long
  \"\"\"
@main func f(_ n: Int) -> Double { 0x1p-3 + 1e5 }
""")
put("cells", "plain", b"print(1)\n")
put("cells", "output", b"a\x1e7 1\nb\x1e7 2\n\x1b[31mred\x1b[0m 10%\r20%\r\n[figure: 1.svg]\n\x1e7")

# command lines
put("arguments", "notebook", b"a.swift\0--html\0out\0--\0--epochs\0002")
put("arguments", "training", b"--batch-size\00050\0--threads\0002\0--save\0a\0--quick\0--seed=1")
put("arguments", "usual", b"--epochs\0003\0--lr\0000.1\0--json")
put("arguments", "equals", b"--epochs=3\0--lr=1e-3")
put("arguments", "near", b"--epoch\0003")
