#!/usr/bin/env python3
"""Reads our event files with TensorBoard's own reader and compares tags, steps and values.

    python3 Tests/Interop/tensorboard_reads.py

Needs the Python package `tensorboard`; without it the check is skipped. Prints one line a tag and ends with status 0 if all
agree.
"""
import json
import math
import pathlib
import subprocess
import sys
import tempfile

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
except ImportError:
    print("SKIPPED: the Python package tensorboard is not installed")
    sys.exit(0)

root = pathlib.Path(__file__).resolve().parents[2]

with tempfile.TemporaryDirectory() as folder:
    command = ["swift", "run", "--package-path", str(root), "write-events", folder]
    written = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    expected = {}
    for line in written.splitlines():
        item = json.loads(line)
        expected.setdefault(item["tag"], []).append((item["step"], item["value"]))

    files = sorted(pathlib.Path(folder).iterdir())
    assert len(files) == 2, files
    found, histograms = {}, {}
    for file in files:
        # The loader checks every record's checksums, and leaves out what comes after a bad one.
        events = list(EventFileLoader(str(file)).Load())
        assert events[0].file_version == "brain.Event:2", events[0]
        assert all(event.wall_time > 1e9 for event in events)
        reader = EventAccumulator(str(file), size_guidance={"scalars": 0, "histograms": 0})
        reader.Reload()
        for tag in reader.Tags()["scalars"]:
            found.setdefault(tag, []).extend((event.step, event.value) for event in reader.Scalars(tag))
        for tag in reader.Tags()["histograms"]:
            histograms[tag] = [(event.step, event.histogram_value) for event in reader.Histograms(tag)]

    assert sorted(found) == sorted(expected), (sorted(found), sorted(expected))
    for tag, items in sorted(expected.items()):
        assert [step for step, _ in found[tag]] == [step for step, _ in items], (tag, found[tag])
        for (step, value), (_, read) in zip(items, found[tag]):
            assert math.isclose(value, read, rel_tol=1e-6), (tag, step, value, read)
        print(f"{tag}: {len(items)} values agree")

    assert sorted(histograms) == ["bias", "weight"], sorted(histograms)
    for tag, size in [("bias", 1), ("weight", 3)]:
        assert [step for step, _ in histograms[tag]] == [0, 1, 2, 3, 4], histograms[tag]
        for step, histogram in histograms[tag]:
            assert histogram.num == size == sum(histogram.bucket), (tag, step, histogram)
            assert histogram.min <= histogram.max and histogram.bucket_limit[-1] == histogram.max
        print(f"{tag}: {len(histograms[tag])} histograms agree")

print("TENSORBOARD: everything agrees")
