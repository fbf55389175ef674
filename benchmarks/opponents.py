"""The opponents: libraries that run the same encoder, each with its best known settings.

Each gets piece ids and mask, already padded, and returns the last hidden state; tokenizing, words' features, CRF and
entities are nerlite's work alone. `single` says that batches of one sentence will come, one at a time.
"""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from export import INPUTS, Exports, pad

from nerlite.batch import Input


class Batch(NamedTuple):
    """inputs: see `export.pad`, as INPUTS names them; lengths: (n_seqs,); order: which inputs these are."""

    inputs: dict[str, np.ndarray]
    lengths: np.ndarray
    order: list[int]


def batches_of(inputs: list[Input], size: int) -> list[Batch]:
    """Return all inputs in batches, those of like length together so that little is padding."""
    by_length = sorted(range(len(inputs)), key=lambda i: len(inputs[i].piece_ids))
    batches = []
    for start in range(0, len(inputs), size):
        order = by_length[start:start + size]
        pieces = [inputs[i].piece_ids for i in order]
        batches.append(Batch(dict(zip(INPUTS, pad(pieces), strict=True)), np.array(list(map(len, pieces))), order))
    return batches


class Opponent:
    """A library and a model."""

    title: ClassVar[str]
    dtype: ClassVar[str]  # what of nerlite's it is measured against: "float32" or "int8"
    model: ClassVar[str]  # of `Exports`
    packages: ClassVar[tuple[str, ...]]  # to import, beside those of the export
    min_cosine: ClassVar[float] = 0.98  # in int8, of its word vectors and those of the float32 model, on average

    def __init__(self, path: Path, threads: int, single: bool) -> None:
        """Load the model."""
        raise NotImplementedError

    def run(self, batch: Batch) -> np.ndarray:
        """Return the last hidden state, (n_seqs, longest, hidden)."""
        raise NotImplementedError

    def run_all(self, batches: list[Batch]) -> list[np.ndarray]:
        """Return the last hidden states of all batches."""
        return [self.run(batch) for batch in batches]

    @classmethod
    def missing(cls) -> list[str]:
        """Return the packages that are not installed."""
        return [name for name in ("torch", "transformers", *cls.packages) if importlib.util.find_spec(name) is None]


class ONNXRuntime(Opponent):
    """onnxruntime on its fused graph."""

    title, dtype, model, packages = "ONNX Runtime, float32", "float32", "fused", ("onnxruntime", "onnx")

    def __init__(self, path: Path, threads: int, single: bool) -> None:
        """All graph optimizations (the default), threads inside operations."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(self, batch: Batch) -> np.ndarray:
        """Return the last hidden state, (n_seqs, longest, hidden)."""
        hidden: np.ndarray = self._session.run(None, batch.inputs)[0]
        return hidden


class ONNXRuntimeInt8(ONNXRuntime):
    """onnxruntime on its dynamically quantized graph."""

    title, dtype, model = "ONNX Runtime, int8", "int8", "int8"


class CTranslate2(Opponent):
    """CTranslate2's encoder."""

    title, dtype, model, packages = "CTranslate2, int8", "int8", "ctranslate2", ("ctranslate2",)

    def __init__(self, path: Path, threads: int, single: bool) -> None:
        """Threads inside operations."""
        import ctranslate2

        self._view = ctranslate2.StorageView.from_array
        self._encoder = ctranslate2.Encoder(str(path), compute_type="int8", intra_threads=threads, inter_threads=1)

    def run(self, batch: Batch) -> np.ndarray:
        """Return the last hidden state, (n_seqs, longest, hidden)."""
        ids, lengths, types = (self._view(array.astype(np.int32)) for array in (
            batch.inputs["input_ids"], batch.lengths, batch.inputs["token_type_ids"]))
        return np.array(self._encoder.forward_batch(ids, lengths, types).last_hidden_state)


class OpenVINO(Opponent):
    """OpenVINO; float32 is kept float32 (its own choice is bfloat16 where the CPU has that)."""

    title, dtype, model = "OpenVINO, float32", "float32", "openvino"
    packages: ClassVar[tuple[str, ...]] = ("openvino", "onnx")
    precision: ClassVar[dict[str, str]] = {"INFERENCE_PRECISION_HINT": "f32"}

    def __init__(self, path: Path, threads: int, single: bool) -> None:
        """Batches go through a queue of as many requests as OpenVINO thinks best; single ones for least latency."""
        import openvino

        hint = "LATENCY" if single else "THROUGHPUT"
        self._model: Any = openvino.Core().compile_model(
            path, "CPU", {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": hint, **self.precision})
        self._queue: Any = None if single else openvino.AsyncInferQueue(self._model)

    def run(self, batch: Batch) -> np.ndarray:
        """Return the last hidden state, (n_seqs, longest, hidden)."""
        hidden: np.ndarray = self._model(batch.inputs)[0]
        return hidden

    def run_all(self, batches: list[Batch]) -> list[np.ndarray]:
        """Return the last hidden states of all batches."""
        if self._queue is None:
            return super().run_all(batches)
        results: list[np.ndarray] = [np.empty(0)] * len(batches)

        def keep(request: Any, index: int) -> None:
            results[index] = request.get_output_tensor(0).data.copy()

        self._queue.set_callback(keep)
        for index, batch in enumerate(batches):
            self._queue.start_async(batch.inputs, index)
        self._queue.wait_all()
        return results


class OpenVINOInt8(OpenVINO):
    """OpenVINO on nncf's quantized graph; what is left in floats is as OpenVINO chooses, bfloat16 or float32."""

    title, dtype, model = "OpenVINO, int8", "int8", "openvino_int8"
    packages = ("openvino", "onnx", "nncf")
    precision: ClassVar[dict[str, str]] = {}


class PyTorch(Opponent):
    """transformers' BertModel with PyTorch's own attention."""

    title, dtype, model, packages = "PyTorch, float32", "float32", "huggingface", ()

    def __init__(self, path: Path, threads: int, single: bool) -> None:
        """Threads inside operations."""
        import torch
        from transformers import BertModel

        torch.set_num_threads(threads)
        self._inference_mode, self._tensor = torch.inference_mode, torch.from_numpy
        self._bert: Any = BertModel.from_pretrained(path, add_pooling_layer=False, attn_implementation="sdpa").eval()

    def run(self, batch: Batch) -> np.ndarray:
        """Return the last hidden state, (n_seqs, longest, hidden)."""
        with self._inference_mode():
            inputs = {name: self._tensor(array) for name, array in batch.inputs.items()}
            hidden: np.ndarray = self._bert(**inputs).last_hidden_state.numpy()
        return hidden


class PyTorchInt8(PyTorch):
    """The same after PyTorch's dynamic quantization of the linear layers, a scale a channel."""

    title, dtype = "PyTorch, int8", "int8"
    min_cosine = 0.97  # its activations have 7 bits for a whole batch

    def __init__(self, path: Path, threads: int, single: bool) -> None:
        """Quantize when loaded."""
        super().__init__(path, threads, single)
        import torch

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its successor is another package
            self._bert = torch.ao.quantization.quantize_dynamic(
                self._bert, {torch.nn.Linear: torch.ao.quantization.per_channel_dynamic_qconfig})


OPPONENTS: dict[str, type[Opponent]] = {
    "onnxruntime-int8": ONNXRuntimeInt8, "ctranslate2-int8": CTranslate2, "openvino-int8": OpenVINOInt8,
    "pytorch-int8": PyTorchInt8, "onnxruntime": ONNXRuntime, "openvino": OpenVINO, "pytorch": PyTorch,
}


def open_opponent(name: str, exports: Exports, threads: int, *, single: bool) -> Opponent:
    """Load an opponent's model, which is made if need be."""
    kind = OPPONENTS[name]
    return kind(getattr(exports, kind.model), threads, single)
