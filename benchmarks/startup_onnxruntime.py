"""The least that tags a text with onnxruntime: tokenizers, the int8 encoder, and the highest number of each piece.

    python benchmarks/startup_onnxruntime.py MODEL.onnx TOKENIZER.json TEXT

Its hidden states have no meaning as tags, which a head would make of them; so this is a lower bound.
"""

import json
import sys

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
ids = np.array([Tokenizer.from_file(sys.argv[2]).encode(sys.argv[3]).ids])
feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
tags = session.run(None, feed)[0].argmax(-1)
print(json.dumps(ids[0].tolist()), flush=True)

from pathlib import Path  # noqa: E402  # what this costs is no part of its start

print(Path("/proc/self/status").read_text())
