"""Write the golden files of tests/: tiny random models, and what torch and transformers make of them stage by stage.

Command: python tools/golden.py

Each NAME of `ENCODERS` and `TAGGERS` becomes a model directory tests/golden/NAME and, beside it, NAME.npz. Batches are
ragged: rows of all sequences one after another, and offsets (n_seqs + 1,).
"""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers
from convert_hf import convert, convert_weights
from torch import nn

from nerlite.config import CharCNNConfig, CharLSTMConfig, CharsConfig, Config, ContextConfig, EncoderConfig
from nerlite.model_directory import write_model
from nerlite.network.crf import FORBIDDEN
from nerlite.tags import allowed_transitions, tag_names, to_spans

GOLDEN = Path(__file__).parent.parent / "tests" / "golden"
MAX_PIECES = 40
SENTENCES = (
    ("Anna", "moved", "from", "Zürich", "to", "São", "Paulo", "."),
    ("Ångström-Labs", "hired", "O'Neil", "in", "2021", ",", "didn't", "it", "?"),
    ("naïve", "CAFÉ", "東京", "x🙂y", "ǅ", "e\u0301", "\u00ad", "ﬁn"),
    ("?",),
)
PIECES = ("moved from to in hired it the lab la ##bs ##s ##na ##ft an ##gs ##tro ##m neil paul ##o sao são cafe café "
          "CAFÉ Anna anna zurich zürich Zü ##rich Labs 20 ##21 . , - ' ? 東 京 é i ##n ne ##il O o")


class Encoder(NamedTuple):
    """One random checkpoint: its architecture, what differs from the other's sizes, tags, and kind of tokenizer."""

    kind: str
    sizes: dict[str, Any]
    tags: tuple[str, ...]
    tokenizer: dict[str, Any]
    tokenizer_json: bool


ENCODERS = {
    "distilbert-cased": Encoder(
        "distilbert", {"dim": 24, "n_heads": 2, "n_layers": 2, "hidden_dim": 44},
        tag_names(("PER", "LOC"), "IOB2"), {"do_lower_case": False}, True),
    "bert-uncased": Encoder(
        "bert", {"hidden_size": 20, "num_attention_heads": 4, "num_hidden_layers": 1, "intermediate_size": 33,
                 "layer_norm_eps": 1e-5},
        tag_names(("PER",), "BIOES"), {"do_lower_case": True}, False),
    "bert-encoder": Encoder(
        "bert", {"hidden_size": 32, "num_attention_heads": 1, "num_hidden_layers": 3, "intermediate_size": 64,
                 "layer_norm_eps": 1e-12},
        (), {"do_lower_case": True, "strip_accents": False, "tokenize_chinese_chars": False}, False),
}
CLASSES = {
    "distilbert": (transformers.DistilBertConfig, transformers.DistilBertModel,
                   transformers.DistilBertForTokenClassification, transformers.DistilBertTokenizer),
    "bert": (transformers.BertConfig, transformers.BertModel, transformers.BertForTokenClassification,
             transformers.BertTokenizer),
}
ALPHABET = tuple("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,'-é🙂")
TAGGERS = {
    # Every part: both character features, residual layers, a CRF with boundaries.
    "tagger": {
        "tags": tag_names(("PER",), "BIOES"), "scheme": "BIOES", "crf_boundaries": True,
        "chars": CharsConfig(ALPHABET, cnn=CharCNNConfig(5, 7), lstm=CharLSTMConfig(6, 3)),
        "context": ContextConfig(dense_size=12, num_layers=2, lstm_hidden_size=6),
    },
    # The other choices: a convolution only, layers without residuals, a CRF without boundaries.
    "tagger-plain": {
        "tags": tag_names(("PER", "LOC"), "IOB1"), "scheme": "IOB1", "crf_boundaries": False,
        "chars": CharsConfig(ALPHABET, cnn=CharCNNConfig(4, 6)),
        "context": ContextConfig(dense_size=9, num_layers=2, lstm_hidden_size=5, residual=False),
    },
}
TAGGER_SENTENCES = (("Anna", "moved", "to", "São", "Paulo"), ("x🙂y",), ("e\u0301", "O'Neil-2021"),
                    ("it", "hired", "東京"))


def vocabulary() -> list[str]:
    """Return the pieces: special ones, those of `PIECES`, and single letters that spell most other words."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    return list(dict.fromkeys([*special, *PIECES.split(), *letters, *(f"##{letter}" for letter in letters)]))


def randomize(module: nn.Module, seed: int) -> None:
    """Give every parameter a size that keeps activations near 1 and attention far from uniform.

    An encoder's embeddings are as small as trained ones, so that a wrong layer_norm_eps shows.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.normal_(generator=generator)
            if "norm" in name.lower() and name.endswith("weight"):
                parameter.mul_(0.1).add_(1)
            elif parameter.dim() == 1:
                parameter.mul_(0.3)
            elif "embeddings" in name.split("."):
                parameter.mul_(0.02)
            elif "embeddings" not in name:
                parameter.mul_(1.5 * parameter[0].numel() ** -0.5)


def write_encoder(name: str, encoder: Encoder, seed: int) -> None:
    """Write a random checkpoint, its conversion, its tokens and its activations."""
    config_class, base_class, tagger_class, tokenizer_class = CLASSES[encoder.kind]
    tags = encoder.tags
    labels = {"id2label": dict(enumerate(tags)), "label2id": {tag: i for i, tag in enumerate(tags)}} if tags else {}
    config = config_class(vocab_size=len(vocabulary()), max_position_embeddings=MAX_PIECES, **encoder.sizes, **labels)
    model = (tagger_class if tags else base_class)(config).eval()
    randomize(model, seed)
    tokenizer = tokenizer_class(vocab={piece: i for i, piece in enumerate(vocabulary())}, **encoder.tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        src = Path(folder) / f"random-{name}"
        model.save_pretrained(src)
        if encoder.tokenizer_json:
            tokenizer.save_pretrained(src)
        else:
            (src / "vocab.txt").write_text("\n".join(vocabulary()) + "\n", encoding="utf-8")
            (src / "tokenizer_config.json").write_text(json.dumps(encoder.tokenizer), encoding="utf-8")
        shutil.rmtree(GOLDEN / name, ignore_errors=True)
        convert(src, GOLDEN / name)

    arrays = pieces_of(tokenizer, SENTENCES)
    rng = np.random.default_rng(seed)
    sequences = [rng.integers(len(vocabulary()), size=size) for size in (1, 2, 3, 16, 17, MAX_PIECES)]
    stages: dict[str, list[np.ndarray]] = {}
    with torch.no_grad():
        for ids in sequences:
            out = model(torch.from_numpy(ids)[None], output_hidden_states=True)
            values = {f"layer_{i - 1}": hidden for i, hidden in enumerate(out.hidden_states)}
            values["embeddings"] = values.pop("layer_-1")
            if tags:
                values["logits"] = out.logits
            for stage, value in values.items():
                stages.setdefault(stage, []).append(value[0].numpy())
    arrays |= {stage: np.concatenate(values) for stage, values in stages.items()}
    arrays |= {"piece_ids": np.concatenate(sequences).astype(np.int32), "piece_offsets": offsets_of(sequences)}
    np.savez_compressed(GOLDEN / f"{name}.npz", **arrays)  # type: ignore[arg-type]


def pieces_of(tokenizer: Any, sentences: Sequence[Sequence[str]]) -> dict[str, np.ndarray]:
    """Return words, word_offsets, and the pieces that transformers gives each word: sentence_ids, sentence_words.

    sentence_ids: of all sentences, without [CLS] and [SEP]; sentence_words: the word each belongs to, counted through
    all sentences.
    """
    ids: list[int] = []
    owners: list[int] = []
    offsets = offsets_of(sentences)
    for words, first in zip(sentences, offsets[:-1], strict=True):
        encoding = tokenizer(list(words), is_split_into_words=True, add_special_tokens=False)
        ids += encoding.input_ids
        owners += [int(first) + word for word in encoding.word_ids()]
    return {"words": np.array([word for words in sentences for word in words]), "word_offsets": offsets,
            "sentence_ids": np.array(ids, np.int32), "sentence_words": np.array(owners)}


class Head(nn.Module):
    """What follows the encoder, in torch's own layers."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        chars, context = config.chars, config.context
        assert chars and chars.cnn and context
        n_ids, hidden = len(chars.alphabet) + 1, context.lstm_hidden_size
        self.cnn_embeddings = nn.Embedding(n_ids, chars.cnn.embedding_size)
        self.conv = nn.Conv1d(chars.cnn.embedding_size, chars.cnn.num_filters, 3, padding=1)
        self.char_lstm = None
        if chars.lstm:
            self.lstm_embeddings = nn.Embedding(n_ids, chars.lstm.embedding_size)
            self.char_lstm = nn.LSTM(chars.lstm.embedding_size, chars.lstm.hidden_size, bidirectional=True)
        self.dense = nn.Linear(config.features_size, context.dense_size)
        self.layers = nn.ModuleList(nn.LSTM(2 * hidden if i else context.dense_size, hidden, bidirectional=True)
                                    for i in range(context.num_layers))
        self.residual = context.residual
        self.emissions = nn.Linear(config.emission_input_size, len(config.tags))

    def stages(self, words: Sequence[str], vectors: torch.Tensor) -> dict[str, torch.Tensor]:
        """vectors: (n_words, hidden) → the values of each stage, (n_words, …), of one sentence."""
        ids = [torch.tensor([ALPHABET.index(c) + 1 if c in ALPHABET else 0 for c in word]) for word in words]
        stages = {"char_cnn": torch.stack([self.conv(self.cnn_embeddings(word).T[None])[0].relu().amax(1)
                                           for word in ids])}
        if self.char_lstm:
            finals = [self.char_lstm(self.lstm_embeddings(word))[1][0] for word in ids]  # each (2, hidden)
            stages["char_lstm"] = torch.stack(finals).flatten(1)
        x = self.dense(torch.cat([*stages.values(), vectors], 1)).relu()
        stages["dense"] = x
        for i, layer in enumerate(self.layers):
            x = layer(x)[0] + x if self.residual else layer(x)[0]
            stages[f"context_{i}"] = x
        return stages | {"emissions": self.emissions(x)}

    def tensors(self) -> dict[str, np.ndarray]:
        """Return the weights under nerlite's names and in its layouts."""
        tensors = {
            "chars.cnn.embeddings": self.cnn_embeddings.weight,
            "chars.cnn.conv.weight": self.conv.weight.permute(2, 1, 0).flatten(0, 1),
            "chars.cnn.conv.bias": self.conv.bias,
            "context.dense.weight": self.dense.weight.T, "context.dense.bias": self.dense.bias,
            "emissions.weight": self.emissions.weight.T, "emissions.bias": self.emissions.bias,
        }
        lstms = {f"context.layers.{i}": layer for i, layer in enumerate(self.layers)}
        if self.char_lstm:
            tensors["chars.lstm.embeddings"] = self.lstm_embeddings.weight
            lstms["chars.lstm"] = self.char_lstm
        for name, lstm in lstms.items():
            for direction, end in (("forward", "l0"), ("backward", "l0_reverse")):
                weights = dict(lstm.named_parameters())
                tensors[f"{name}.{direction}.w_ih"] = weights[f"weight_ih_{end}"].T
                tensors[f"{name}.{direction}.w_hh"] = weights[f"weight_hh_{end}"].T
                tensors[f"{name}.{direction}.bias"] = weights[f"bias_ih_{end}"] + weights[f"bias_hh_{end}"]
        return {name: tensor.detach().numpy() for name, tensor in tensors.items() if tensor is not None}


def write_tagger(name: str, settings: dict[str, Any], seed: int) -> None:
    """Write a random model with a whole head, and its activations from words to entities."""
    n_pieces = len(vocabulary())
    encoder = transformers.DistilBertModel(transformers.DistilBertConfig(
        vocab_size=n_pieces, max_position_embeddings=MAX_PIECES, dim=16, n_heads=2, n_layers=1, hidden_dim=24)).eval()
    randomize(encoder, seed)
    config = Config(name=name, encoder=EncoderConfig(n_pieces, 16, 1, 2, 24, MAX_PIECES), window=MAX_PIECES,
                    decoder="crf", **settings)
    head = Head(config)
    randomize(head, seed + 1)
    tensors = convert_weights({key: tensor.numpy() for key, tensor in encoder.state_dict().items()}, "distilbert",
                              config.encoder, None, Path(name)) | head.tensors()
    crf = random_crf(config, seed)
    tensors["crf.transitions"] = crf[1]
    if config.crf_boundaries:
        tensors["crf.start_transitions"], tensors["crf.end_transitions"] = crf[0], crf[2]
    tokenizer = transformers.DistilBertTokenizer(vocab={piece: i for i, piece in enumerate(vocabulary())})
    shutil.rmtree(GOLDEN / name, ignore_errors=True)
    write_model(config, tensors, tokenizer.backend_tokenizer.to_str(),
                f"# {name}\n\nRandom weights, for tests; written by tools/golden.py.\n", GOLDEN / name)

    arrays = pieces_of(tokenizer, TAGGER_SENTENCES)
    columns: dict[str, list[np.ndarray]] = {}
    spans: list[tuple[int, int, int, str]] = []
    for index, words in enumerate(TAGGER_SENTENCES):
        encoding = tokenizer(list(words), is_split_into_words=True)
        first_pieces = [encoding.word_ids().index(word) for word in range(len(words))]
        with torch.no_grad():
            vectors = encoder(torch.tensor([encoding.input_ids])).last_hidden_state[0, first_pieces]
            values = {stage: value.numpy() for stage, value in head.stages(words, vectors).items()}
        decoded, scores = enumerate_crf(values["emissions"], crf, config.tags)
        for stage, value in (values | decoded).items():
            columns.setdefault(stage, []).append(value)
        spans += [(index, *span) for span in scores]
        columns.setdefault("span_scores", []).append(np.array(list(scores.values())))
    arrays |= {stage: np.concatenate(values) for stage, values in columns.items()}
    arrays["spans"] = np.array([span[:3] for span in spans])  # sentence, first word, stop
    arrays["span_labels"] = np.array([span[3] for span in spans])
    np.savez_compressed(GOLDEN / f"{name}.npz", **arrays)  # type: ignore[arg-type]


def random_crf(config: Config, seed: int) -> tuple[np.ndarray, ...]:
    """Return start, transitions and end scores in which what the scheme does not allow is `FORBIDDEN`."""
    rng = np.random.default_rng(seed)
    scores = [np.where(allowed, rng.standard_normal(allowed.shape), FORBIDDEN).astype(np.float32)
              for allowed in allowed_transitions(config.tags, config.scheme)]
    if not config.crf_boundaries:
        scores[0][:] = scores[2][:] = 0
    return tuple(scores)


def enumerate_crf(emissions: np.ndarray, crf: tuple[np.ndarray, ...],
                  tags: Sequence[str]) -> tuple[dict[str, np.ndarray], dict[tuple[int, int, str], float]]:
    """Score every tag sequence of one sentence in float64.

    emissions: (n_words, n_tags) → log_partition (1,), marginals (n_words, n_tags), best (n_words,), and the
    probability of every span of the best sequence.
    """
    start, transitions, end = (scores.astype(np.float64) for scores in crf)
    paths = np.array(list(itertools.product(range(len(tags)), repeat=len(emissions))))
    scores = start[paths[:, 0]] + emissions.astype(np.float64)[np.arange(len(emissions)), paths].sum(1)
    scores += transitions[paths[:, :-1], paths[:, 1:]].sum(1) + end[paths[:, -1]]
    log_partition = np.log(np.exp(scores - scores.max()).sum()) + scores.max()
    probabilities = np.exp(scores - log_partition)
    marginals = np.array([np.bincount(column, probabilities, len(tags)) for column in paths.T])
    best = paths[scores.argmax()]
    spans_of_paths = [to_spans([tags[tag] for tag in path]) for path in paths]
    spans = {}
    for span in spans_of_paths[int(scores.argmax())]:
        has_span = [span in spans_of_path for spans_of_path in spans_of_paths]
        spans[span.start, span.stop, span.label] = float(probabilities[has_span].sum())
    return {"log_partition": np.array([log_partition]), "marginals": marginals, "best": best}, spans


def offsets_of(sequences: Sequence[Sequence[Any] | np.ndarray]) -> np.ndarray:
    """Return where each sequence begins in their concatenation and, last, its length."""
    return np.cumsum([0, *map(len, sequences)])


def main() -> None:
    """Write every golden file."""
    GOLDEN.mkdir(exist_ok=True)
    for seed, (name, encoder) in enumerate(ENCODERS.items()):
        write_encoder(name, encoder, seed)
    for seed, (name, settings) in enumerate(TAGGERS.items(), 100):
        write_tagger(name, settings, seed)
    for path in sorted(GOLDEN.rglob("*")):
        if path.is_file():
            print(f"{path.stat().st_size:8} {path.relative_to(GOLDEN)}")


if __name__ == "__main__":
    main()
