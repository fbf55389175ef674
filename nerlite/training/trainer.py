"""Train a tagger with PyTorch by a recipe, and write it as a model directory."""

from __future__ import annotations

import copy
import itertools
import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import nn

from nerlite.config import (
    BreaksConfig,
    CharCNNConfig,
    CharLSTMConfig,
    CharsConfig,
    Config,
    ContextConfig,
    read_config,
    to_dict,
)
from nerlite.errors import ModelError
from nerlite.evaluate import evaluate
from nerlite.limits import Limits, word_kinds
from nerlite.model_directory import check_destination, write_model
from nerlite.ops.numpy_crf import viterbi
from nerlite.pieces import PieceEncoder
from nerlite.tags import from_spans
from nerlite.text import PARAGRAPH, SPACE
from nerlite.training.data import (
    SCHEME,
    Sentence,
    Tags,
    Window,
    batches_of,
    labels_of,
    names_of,
    read_set,
    seen,
    shuffled_batches,
    windows_of,
)
from nerlite.training.listings import listings
from nerlite.training.network import Batch, Network, state_of, tensors_of
from nerlite.training.recipe import Recipe, SetRules
from nerlite.training.renaming import renamed
from nerlite.weights import float_tensors, read_tensors

WINDOW = 256
EVALUATION_PIECES = 4096
WEIGHT_DECAY, CLIP_NORM, LOSS_DIVISOR = 0.01, 5.0, 32
# At most, of the moving average of the weights, which is what is kept: about the last epoch.
AVERAGE_DECAY = 0.998
UNKNOWN_CHARACTER_RATE = 0.01
Report = Callable[[str], None]
# Characters of a word that training reads.
LONGEST_WORD = 60
CHARS, CONTEXT = (CharCNNConfig(25, 30), CharLSTMConfig(25, 30)), ContextConfig(256, 1, 128)


class Row(NamedTuple):
    """A window as the network reads it: piece ids, where words begin in them, the words, and their tags' limits."""

    ids: list[int]
    first_pieces: list[int]
    words: list[str]
    kinds: np.ndarray
    allowed: Sequence[int]


class Reader:
    """Turns windows into padded batches, as the engine reads them."""

    def __init__(self, config: Config, pieces: PieceEncoder, tags: Tags) -> None:
        self._pieces, self._tags, self._limits = pieces, tags, Limits(tags.names)
        self._has_breaks = config.breaks is not None
        alphabet = config.chars.alphabet if config.chars else ()
        self._characters = {character: i for i, character in enumerate(alphabet, 1)}

    def row(self, window: Window) -> Row:
        """Return a window as the network reads it."""
        breaks = bytes(window.breaks)
        ids, offsets, leads = self._pieces.encode(window.words, breaks)
        firsts = [offset + lead for offset, lead in zip(offsets, leads, strict=False)]
        kinds = word_kinds(window.words, breaks) if self._has_breaks else np.zeros(len(window.words), np.uint8)
        return Row([self._pieces.cls_id, *ids[firsts[0]:], self._pieces.sep_id],
                   [1 + first - firsts[0] for first in firsts], window.words, kinds, window.allowed)

    def sizes(self, words: Iterable[str]) -> dict[str, int]:
        """Return how many pieces each word has."""
        different = sorted(set(words))
        offsets = self._pieces.encode(different).offsets
        return {word: stop - start for word, (start, stop) in zip(different, itertools.pairwise(offsets), strict=True)}

    def rows_of(self, words: list[str], breaks: list[int]) -> list[tuple[Row, Any]]:
        """Return the windows that cover a text of any length, and for which words each answers."""
        offsets = self._pieces.encode(words, bytes(breaks)).offsets
        return [(self.row(Window(words[window.start:window.stop], breaks[window.start:window.stop],
                                 [0] * (window.stop - window.start))), window)
                for window in self._pieces.windows(offsets)]

    def limited(self, emissions: np.ndarray, words: list[str], breaks: list[int]) -> np.ndarray:
        """Return emissions without what words may not be."""
        return self._limits(emissions, word_kinds(words, bytes(breaks))) if self._has_breaks else emissions

    def batch(self, rows: Sequence[Row], rng: np.random.Generator | None = None) -> Batch:
        """Pad rows; with rng some characters become 0, so that 0 is trained as any other character."""
        numbers: dict[str, int] = {}
        which = [numbers.setdefault(word, len(numbers)) for row in rows for word in row.words]
        spelled = [[self._characters.get(character, 0) for character in word[:LONGEST_WORD]] or [0] for word in numbers]
        characters = _pad(spelled)
        if rng is not None:
            characters[rng.random(characters.shape) < UNKNOWN_CHARACTER_RATE] = 0
        mask = self._tags.mask()
        allowed, kinds = _pad([row.allowed for row in rows]), _pad([row.kinds for row in rows])
        return Batch(*map(torch.from_numpy, (
            _pad([row.ids for row in rows]), _lengths([row.ids for row in rows]),
            _pad([row.first_pieces for row in rows]), _lengths([row.words for row in rows]),
            mask[allowed], self._limits.forbidden[kinds], characters, np.array(list(map(len, spelled))),
            np.array(which))))


def _pad(rows: Sequence[Any]) -> np.ndarray:
    padded = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for row, values in zip(padded, rows, strict=True):
        row[:len(values)] = values
    return padded


def _lengths(rows: Sequence[Sequence[Any]]) -> np.ndarray:
    return np.arange(max(map(len, rows))) < np.array(list(map(len, rows)))[:, None]


@torch.no_grad()
def tag_texts(network: Network, texts: Sequence[tuple[list[str], list[int]]], reader: Reader, names: Sequence[str]
              ) -> list[list[str]]:
    """Return the tags of texts, (words, breaks), as the engine finds them."""
    network.eval()
    rows = [(i, row, window) for i, text in enumerate(texts) for row, window in reader.rows_of(*text)]
    emissions = [np.empty((len(words), len(names)), np.float32) for words, _ in texts]
    order = sorted(range(len(rows)), key=lambda j: len(rows[j][1].ids))
    for batch in batches_of([len(row.ids) for _, row, _ in rows], order, EVALUATION_PIECES):
        scored = network(reader.batch([rows[j][1] for j in batch])).numpy()
        for scores, (i, _, window) in zip(scored, (rows[j] for j in batch), strict=True):
            emissions[i][window.keep_start:window.keep_stop] = scores[window.keep_start - window.start:
                                                                      window.keep_stop - window.start]
    crf = [scores.numpy() for scores in network.crf.scores()]
    limited = (reader.limited(scores, *text) for scores, text in zip(emissions, texts, strict=True))
    return [[names[i] for i in viterbi(scores, np.array([0, len(scores)]), *crf)] for scores in limited]


def f1(network: Network, documents: Sequence[Sequence[Sentence]], reader: Reader, tags: Tags, hidden: Sequence[str]
       ) -> tuple[float, float]:
    """Return the F1 with whole documents tagged, and with each sentence alone; hidden: labels that do not count."""
    sentences = [sentence for document in documents for sentence in document]
    gold = [from_spans(sentence.spans, len(sentence.words), SCHEME) for sentence in sentences]
    scores = []
    for texts in (documents, [[sentence] for sentence in sentences]):
        laid_out = [([word for sentence in text for word in sentence.words],
                     [kind for sentence in text for kind in (PARAGRAPH, *[SPACE] * (len(sentence.words) - 1))])
                    for text in texts]
        flat = itertools.chain.from_iterable(tag_texts(network, laid_out, reader, tags.names))
        found = [["O" if tag.partition("-")[2] in hidden else tag for tag in itertools.islice(flat, len(each))]
                 for each in gold]
        scores.append(evaluate(gold, found).overall.fb1)
    return scores[0], scores[1]


class Trainer:
    """The network in training, its optimizer, and the moving average of its weights.

    network: with the weights to begin with; origin: what checkpoints say of the run; report: takes lines about its
    progress.
    """

    def __init__(self, recipe: Recipe, network: Network, reader: Reader, origin: dict[str, Any], report: Report
                 ) -> None:
        self.recipe, self.network, self.reader, self.origin, self.report = recipe, network, reader, origin, report
        self.network.encoder.word_embeddings.weight.requires_grad_(False)
        self.network.autocast = torch.backends.mkldnn.is_available() and _has_bfloat16()
        self.average = copy.deepcopy(self.network)
        self.optimizer = _optimizer(self.network, recipe)
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

    def keep_epoch(self, folder: Path) -> None:
        """Write the average as it is now to a file of its own, if the recipe takes the mean of this epoch."""
        if self.epoch in self.recipe.averaged:
            _save({"network": self.average.state_dict(), **self.origin}, folder / f"epoch-{self.epoch}.pt")

    def keep_mean(self, states: Sequence[Mapping[str, torch.Tensor]]) -> None:
        """Take the mean of some epochs' weights for those that are kept; scores of before do not count any more."""
        self.average.load_state_dict({name: torch.stack([state[name] for state in states]).mean(0)
                                      for name in states[0]})
        self.best = -1.0

    def train_epoch(self, windows: Sequence[Window], rng: random.Random) -> None:
        """Train on every window once."""
        recipe = self.recipe
        longest = self.network.encoder.position_embeddings.num_embeddings
        rows = [row for row in map(self.reader.row, windows) if len(row.ids) <= longest]
        batches = shuffled_batches([len(row.ids) for row in rows], recipe.batch_pieces, rng)
        character_rng = np.random.default_rng(rng.getrandbits(32))
        resting = self.epoch < recipe.frozen_epochs
        for name, parameter in self.network.encoder.named_parameters():
            parameter.requires_grad_(not (resting or name.startswith("word_embeddings")))
        self.network.train()
        began, loss_sum, n_words = time.monotonic(), 0.0, 0
        for i, batch in enumerate(batches):
            self._set_rates(1.0 if resting else self._factor(i / len(batches)))
            inputs = self.reader.batch([rows[j] for j in batch], character_rng)
            loss = self.network.crf(self.network(inputs), inputs.allowed, inputs.forbidden, inputs.word_mask)
            self.optimizer.zero_grad()
            (loss / LOSS_DIVISOR).backward()
            nn.utils.clip_grad_norm_([p for p in self.network.parameters() if p.grad is not None], CLIP_NORM)
            self.optimizer.step()
            self._update_average(1 - 1 / len(batches))
            loss_sum, n_words = loss_sum + loss.item(), n_words + int(inputs.word_mask.sum())
            if i % 50 == 49 or i + 1 == len(batches):
                self.report(f"epoch {self.epoch + 1}/{recipe.epochs} batch {i + 1}/{len(batches)} loss "
                            f"{loss_sum / n_words:.4f} a word, {time.monotonic() - began:.0f} s")
                loss_sum, n_words = 0.0, 0
        self.epoch += 1

    def _factor(self, share: float) -> float:
        """Return what rates are multiplied by, after a share of this epoch's batches."""
        recipe = self.recipe
        progress = (self.epoch - recipe.frozen_epochs + share) / (recipe.epochs - recipe.frozen_epochs)
        return min(progress / recipe.warm_up, (1 - progress) / (1 - recipe.warm_up))

    def _set_rates(self, factor: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * factor

    @torch.no_grad()
    def _update_average(self, decay: float) -> None:
        self.step += 1
        decay = min(AVERAGE_DECAY, decay, self.step / (self.step + 10))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), 1 - decay)

    def evaluate(self, sets: Sequence[tuple[SetRules, list[list[Sentence]]]], tags: Tags, path: Path) -> None:
        """Score the average of the weights; keep it if the mean over the sets is the best yet."""
        scores = {rules.path: f1(self.average, documents, self.reader, tags, rules.hidden) for rules, documents in sets}
        self.report(f"epoch {self.epoch} F1 by document and by sentence: "
                    + ", ".join(f"{name} {a:.2f} {b:.2f}" for name, (a, b) in scores.items()))
        if (mean := float(np.mean(list(scores.values())))) > self.best:
            self.best = mean
            _save({"network": self.average.state_dict(), "scores": scores, "epoch": self.epoch, **self.origin}, path)


def _has_bfloat16() -> bool:
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())


def _optimizer(network: Network, recipe: Recipe) -> torch.optim.Optimizer:
    """Return AdamW with the encoder's and the head's rates, and no decay of vectors."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            rate = recipe.encoder_rate if name.startswith("encoder.") else recipe.head_rate
            groups.setdefault((rate, WEIGHT_DECAY if parameter.ndim > 1 else 0.0), []).append(parameter)
    return torch.optim.AdamW([{"params": parameters, "lr": rate, "rate": rate, "weight_decay": decay}
                              for (rate, decay), parameters in groups.items()], fused=True)


def _save(content: dict[str, Any], path: Path) -> None:
    """Write a checkpoint all or nothing."""
    partial = path.with_suffix(".partial")
    torch.save(content, partial)
    os.replace(partial, path)


def _read_checkpoint(path: Path, origin: dict[str, Any]) -> dict[str, Any]:
    """Read a checkpoint; `ModelError` if it is not of this run's recipe and data."""
    checkpoint: dict[str, Any] = torch.load(path, weights_only=True)
    if differing := [key for key in origin if checkpoint.get(key) != origin[key]]:
        raise ModelError(f"{path}: {', '.join(differing)}: not those of this recipe and data")
    return checkpoint


def train(recipe: Recipe, data: Sequence[Path], checkpoints: Path, out: Path, *, dtype: Literal["int8", "float32"],
          resume: bool = False, report: Report) -> None:
    """Train by a recipe and write the model directory out, stored as dtype.

    Where that is int8, the network is trained and evaluated as it computes then. data: the folders that the sets' paths
    start from; checkpoints: a folder for last.pt, from which `resume` goes on, and best.pt; report: takes lines about
    the progress. Raises `ModelError`, before any training, for a start or a set that cannot be used, an out in use, and
    checkpoints of another run.
    """
    check_destination(out)
    best_path, last_path = checkpoints / "best.pt", checkpoints / "last.pt"
    if not resume and (best_path.exists() or last_path.exists()):
        raise ModelError(f"{checkpoints}: expected a folder without best.pt and last.pt, or to be told to resume")
    start = Path(recipe.start)
    start_config = read_config(start / "config.json")
    tags = Tags(labels_of(data, recipe.train))
    if not tags.labels:
        raise ModelError(f"{', '.join(map(str, data))}: expected labels in "
                         f"{', '.join(rules.path for rules in recipe.train)}, got none")
    training = [(rules, read_set(data, rules, tags)) for rules in recipe.train]
    valid = [(rules, read_set(data, rules, tags)) for rules in recipe.valid]
    documents = [document for _, each in training for document in each]
    config = _config(recipe, start_config, tags, documents)
    pieces = PieceEncoder(start / "tokenizer.json", config.window, config.encoder.vocab_size, breaks=config.breaks,
                          shapes=config.shapes)
    reader = Reader(config, pieces, tags)
    origin = {"config": to_dict(config), "recipe": json.dumps(recipe._replace(start=start.name))}
    last = _read_checkpoint(last_path, origin) if resume and last_path.exists() else None
    tensors = float_tensors(read_tensors(start_config, start / "model.safetensors"))
    line_piece = pieces.line_id if config.breaks else None
    torch.manual_seed(recipe.seed)
    network = Network(config, line_piece, quantized=dtype == "int8")
    network.load_state_dict(state_of(tensors, start_config, config, line_piece), strict=False)
    trainer = Trainer(recipe, network, reader, origin, report)
    checkpoints.mkdir(parents=True, exist_ok=True)
    if last:
        trainer.resume(last)
    else:
        trainer.keep_epoch(checkpoints)
    names = names_of(training)
    words = {word for document in documents for sentence in document for word in sentence.words}
    sizes = reader.sizes([*words, *(word.upper() for each in names.values() for name in each for word in name)])
    while trainer.epoch < max(recipe.averaged, default=recipe.epochs):
        seed = 1000 * recipe.seed + trainer.epoch
        torch.manual_seed(seed)
        rng = random.Random(seed)
        read = renamed(seen(training, rng), names, tags, recipe.renamed, rng)
        windows = [*windows_of(read, sizes, config.window, recipe.layouts, recipe.cases, rng),
                   *listings(names, tags, recipe.listings, recipe.cases, rng)]
        trainer.train_epoch(windows, rng)
        trainer.evaluate(valid, tags, best_path)
        trainer.keep_epoch(checkpoints)
        _save(trainer.checkpoint(), last_path)
    if recipe.averaged:
        trainer.keep_mean([_read_checkpoint(checkpoints / f"epoch-{epoch}.pt", origin)["network"]
                           for epoch in recipe.averaged])
        trainer.evaluate(valid, tags, best_path)
    best = _read_checkpoint(best_path, origin)
    network.load_state_dict(best["network"])
    tokenizer_json = (start / "tokenizer.json").read_text(encoding="utf-8")
    write_model(config._replace(dtype=dtype), tensors_of(network), tokenizer_json, _card(recipe, config, best), out)


def _config(recipe: Recipe, start: Config, tags: Tags, documents: Sequence[Sequence[Sentence]]) -> Config:
    """Return the config of the model that a recipe makes: that of its start, if its tags are the same."""
    breaks = BreaksConfig(recipe.line_piece, "[SEP]") if recipe.line_piece else None
    if start.tags == tags.names and start.chars and start.context and start.scheme == SCHEME:
        return start._replace(name=recipe.name, dtype="float32", breaks=breaks,
                              shapes=start.shapes or recipe.shapes, agreement=start.agreement or recipe.agreement,
                              calibration=None)
    counts = Counter(dict.fromkeys(map(chr, range(33, 127)), recipe.characters))
    counts.update(character for document in documents for sentence in document for word in sentence.words
                  for character in word)
    alphabet = tuple(sorted(character for character, n in counts.items() if n >= recipe.characters))
    return Config(name=recipe.name, encoder=start.encoder, tags=tags.names, scheme=SCHEME,
                  chars=CharsConfig(alphabet, cnn=CHARS[0], lstm=CHARS[1]), context=CONTEXT,
                  window=min(WINDOW, start.encoder.max_position_embeddings), breaks=breaks,
                  shapes=start.shapes or recipe.shapes, agreement=recipe.agreement)


def _card(recipe: Recipe, config: Config, best: dict[str, Any]) -> str:
    """Return a first model card: what the model was made from, and its F1."""
    rows = "\n".join(f"| {name} | {a:.2f} | {b:.2f} |" for name, (a, b) in best["scores"].items())
    sets = ", ".join(rules.path for rules in recipe.train)
    epochs = " and ".join(map(str, recipe.averaged or [best["epoch"]]))
    return (f"# {recipe.name}\n\nFinds {', '.join(sorted({tag[2:] for tag in config.tags if tag != 'O'}))}. Trained by "
            f"`nerlite train` on {sets}, from {Path(recipe.start).name}; the weights are those after epoch "
            f"{epochs} of {recipe.epochs}.\n\n| F1 | by document | by sentence |\n|---|---|---|\n"
            f"{rows}\n\nTags ({config.scheme}): {' '.join(config.tags)}\n")
