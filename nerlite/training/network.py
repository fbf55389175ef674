"""nerlite's network in PyTorch, for training: the same numbers, padded and differentiable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from nerlite.config import CharCNNConfig, CharLSTMConfig, Config, EncoderConfig
from nerlite.network.crf import FORBIDDEN
from nerlite.shapes import N_SHAPES
from nerlite.tags import allowed_transitions
from nerlite.weights import INT8_LIMIT

ENCODER_DROPOUT, HEAD_DROPOUT = 0.1, 0.3


class Batch(NamedTuple):
    """Padded windows: pieces (n, longest), word tensors (n, most words), and the words' characters.

    allowed, forbidden: (n, most words, n_tags) bool, the tags that agree with the annotation, and those that may not be
    whatever it says. characters: (n_different, longest) of each word that is different from the others; which: for
    each word of all windows its row of them.
    """

    pieces: Tensor
    piece_mask: Tensor
    first_pieces: Tensor
    word_mask: Tensor
    allowed: Tensor
    forbidden: Tensor
    characters: Tensor
    n_characters: Tensor
    which: Tensor


@torch.no_grad()
def _rounding(x: Tensor) -> Tensor:
    """Return what int8's levels of each row, `nerlite.ops.numpy_ops.quantize_rows`, add to x (..., n)."""
    lowest, highest = x.amin(-1, keepdim=True).float().clamp(max=0), x.amax(-1, keepdim=True).float().clamp(min=0)
    scale = ((highest - lowest) / 127).clamp(min=1e-30)
    return (x - lowest).div_(scale).round_().mul_(scale).add_(lowest).sub_(x)


@torch.no_grad()
def _weight_rounding(weight: Tensor) -> Tensor:
    """Return what int8's levels add to a weight (n_outputs, n_inputs); `nerlite.weights.quantize` finds better ones."""
    scale = weight.abs().amax(1, keepdim=True).clamp(min=1e-30) / INT8_LIMIT
    return (weight / scale).round_().mul_(scale).sub_(weight)


class Linear(nn.Linear):
    """A linear layer that computes, if `quantized`, with int8's levels, and learns as if not (Jacob et al. 2018)."""

    quantized = False

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., n_inputs) → (..., n_outputs)."""
        if not self.quantized:
            return super().forward(x)
        return functional.linear(x + _rounding(x), self.weight + _weight_rounding(self.weight), self.bias)


class Dropout(nn.Module):
    """Dropout whose random numbers are bytes, eight from one draw: PyTorch's own draws are a tenth of a step here."""

    def __init__(self, rate: float) -> None:
        """rate: what share of values becomes 0, to the next 1/256."""
        super().__init__()
        self.threshold = round(256 * rate)

    def forward(self, x: Tensor) -> Tensor:
        """Return x, in training with values dropped and the others scaled up, so that its mean stays."""
        if not self.training or not self.threshold:
            return x
        draws = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-2**63, None)
        kept = (draws.view(torch.uint8)[:x.numel()] >= self.threshold).view(x.shape)
        return x * kept.to(x.dtype).mul_(256 / (256 - self.threshold))


class EncoderLayer(nn.Module):
    """One transformer layer, normalised after each sum."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        hidden, inner = config.hidden_size, config.intermediate_size
        self.n_heads = config.num_attention_heads
        self.qkv = Linear(hidden, 3 * hidden)
        self.attention_out = Linear(hidden, hidden)
        self.attention_norm = nn.LayerNorm(hidden, config.layer_norm_eps)
        self.ffn_in = Linear(hidden, inner)
        self.ffn_out = Linear(inner, hidden)
        self.ffn_norm = nn.LayerNorm(hidden, config.layer_norm_eps)
        self.dropout = Dropout(ENCODER_DROPOUT)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return x (n, n_pieces, hidden) after the layer; mask (n, n_pieces) is False at padding."""
        n, length, hidden = x.shape
        q, k, v = self.qkv(x).view(n, length, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        # PyTorch's own attention takes twice the time and more here, and so would dropout of these weights.
        scores = q @ k.transpose(2, 3) * q.shape[3] ** -0.5  # (n, heads, n_pieces, n_pieces)
        weights = scores.masked_fill(~mask[:, None, None], torch.finfo(scores.dtype).min).softmax(-1, dtype=q.dtype)
        mixed = (weights @ v).transpose(1, 2).reshape(n, length, hidden)
        x = self.attention_norm(x + self.dropout(self.attention_out(mixed)))
        return self.ffn_norm(x + self.dropout(self.ffn_out(functional.gelu(self.ffn_in(x)))))


class Encoder(nn.Module):
    """BERT or DistilBERT, BERT's type-0 embedding being part of the positions."""

    def __init__(self, config: EncoderConfig, line_piece: int | None = None, *, shapes: bool = False) -> None:
        """line_piece: a piece that the encoder has never seen; it alone is learned, of all pieces; shapes: whether
        piece ids say how words are written (see `nerlite.pieces.PieceEncoder`).
        """
        super().__init__()
        self.line_piece = line_piece
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.line_embedding = nn.Parameter(torch.zeros(config.hidden_size)) if line_piece is not None else None
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.shape_embeddings = nn.Embedding(N_SHAPES, config.hidden_size) if shapes else None
        if self.shape_embeddings is not None:
            nn.init.zeros_(self.shape_embeddings.weight)
        self.embedding_norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.num_hidden_layers))
        self.dropout = Dropout(ENCODER_DROPOUT)

    def forward(self, pieces: Tensor, mask: Tensor) -> Tensor:
        """Return the last hidden state (n, n_pieces, hidden) of piece ids (n, n_pieces)."""
        pieces, shapes = pieces % self.word_embeddings.num_embeddings, pieces // self.word_embeddings.num_embeddings
        x = self.word_embeddings(pieces)
        if self.line_embedding is not None:
            x = torch.where((pieces == self.line_piece)[..., None], self.line_embedding, x)
        x = x + self.position_embeddings.weight[:pieces.shape[1]]
        if self.shape_embeddings is not None:
            x = x + self.shape_embeddings(shapes)
        x = self.dropout(self.embedding_norm(x))
        for layer in self.layers:
            x = layer(x, mask)
        return x


class BiLSTM(nn.Module):
    """LSTMs over padded sequences, as they are and reversed: faster than PyTorch's over packed ones.

    If `quantized`, they read int8's levels; their weights are not rounded.
    """

    quantized = False

    def __init__(self, n_inputs: int, n_hidden: int) -> None:
        super().__init__()
        self.left_to_right = nn.LSTM(n_inputs, n_hidden, batch_first=True)
        self.right_to_left = nn.LSTM(n_inputs, n_hidden, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the states (n, longest, 2 * n_hidden) after each of x (n, longest, n_inputs), of some lengths (n,)."""
        places = torch.arange(x.shape[1])
        reversed_ = torch.where(places < lengths[:, None], lengths[:, None] - 1 - places, places)[..., None]
        if self.quantized:
            x = x + _rounding(x)
        turned = x.gather(1, reversed_.expand(x.shape))
        onward, backward = self.left_to_right(x)[0], self.right_to_left(turned)[0]
        return torch.cat([onward, backward.gather(1, reversed_.expand(backward.shape))], 2)


class CharFeatures(nn.Module):
    """[CNN, forward LSTM state, backward LSTM state] of each word; beyond a word's ends the CNN sees zeros."""

    def __init__(self, n_ids: int, cnn: CharCNNConfig, lstm: CharLSTMConfig) -> None:
        super().__init__()
        self.cnn_embeddings = nn.Embedding(n_ids, cnn.embedding_size)
        self.conv = nn.Conv1d(cnn.embedding_size, cnn.num_filters, 3, padding=1)
        self.lstm_embeddings = nn.Embedding(n_ids, lstm.embedding_size)
        self.lstm = BiLSTM(lstm.embedding_size, lstm.hidden_size)

    def forward(self, characters: Tensor, n_characters: Tensor) -> Tensor:
        """Return features (n_words, n_filters + 2 * hidden) of character ids (n_words, longest)."""
        mask = (torch.arange(characters.shape[1]) < n_characters[:, None])[..., None]
        filtered = functional.relu(self.conv((self.cnn_embeddings(characters) * mask).transpose(1, 2)))
        pooled = (filtered * mask.transpose(1, 2)).amax(2)  # ReLU's results are >= 0: zeros take no part
        onward, backward = self.lstm(self.lstm_embeddings(characters), n_characters).chunk(2, 2)
        last = (n_characters - 1)[:, None, None].expand(-1, 1, onward.shape[2])
        return torch.cat([pooled, onward.gather(1, last)[:, 0], backward[:, 0]], 1)


class CRF(nn.Module):
    """Linear-chain CRF whose ill-formed transitions are fixed to FORBIDDEN."""

    def __init__(self, tags: Sequence[str], scheme: str) -> None:
        super().__init__()
        for name, allowed in zip(("start_transitions", "transitions", "end_transitions"),
                                 allowed_transitions(tags, scheme), strict=True):
            self.register_buffer(f"{name}_allowed", torch.from_numpy(np.array(allowed)), persistent=False)
            self.register_parameter(name, nn.Parameter(torch.empty(allowed.shape).uniform_(-0.1, 0.1)))

    def scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return start (n_tags,), [from, to] (n_tags, n_tags) and end (n_tags,) scores."""
        start, between, end = (
            torch.where(getattr(self, f"{name}_allowed"), getattr(self, name), float(FORBIDDEN))
            for name in ("start_transitions", "transitions", "end_transitions"))
        return start, between, end

    def forward(self, emissions: Tensor, allowed: Tensor, forbidden: Tensor, mask: Tensor) -> Tensor:
        """Return the sum of the negative log-likelihoods of all taggings that agree with the annotation.

        emissions, allowed, forbidden: (n, n_words, n_tags); mask: (n, n_words). Source: Greenberg et al. 2018.
        """
        start, between, end = self.scores()
        emissions = emissions.masked_fill(forbidden & ~allowed, float(FORBIDDEN))
        scores = torch.cat([emissions, emissions.masked_fill(~allowed, float(FORBIDDEN))])
        mask = torch.cat([mask, mask])
        alpha = start + scores[:, 0]
        for i in range(1, scores.shape[1]):
            following = torch.logsumexp(alpha[:, :, None] + between, 1) + scores[:, i]
            alpha = torch.where(mask[:, i, None], following, alpha)
        total, agreeing = torch.logsumexp(alpha + end, 1).chunk(2)
        return (total - agreeing).sum()


class Network(nn.Module):
    """The whole network."""

    def __init__(self, config: Config, line_piece: int | None = None, *, quantized: bool = False) -> None:
        """quantized: whether linear layers compute as those of an int8 model do."""
        super().__init__()
        chars, context = config.chars, config.context
        if chars is None or chars.cnn is None or chars.lstm is None or context is None:
            raise ValueError("config: expected chars.cnn, chars.lstm and context")
        self.encoder = Encoder(config.encoder, line_piece, shapes=config.shapes)
        self.chars = CharFeatures(len(chars.alphabet) + 1, chars.cnn, chars.lstm)
        self.dense = Linear(config.features_size, context.dense_size)
        self.lstm = BiLSTM(context.dense_size, context.lstm_hidden_size)
        self.emissions = nn.Linear(config.emission_input_size, len(config.tags))
        self.crf = CRF(config.tags, config.scheme)
        self.dropout = Dropout(HEAD_DROPOUT)
        for module in self.modules():
            if isinstance(module, Linear):
                module.quantized = quantized
        self.lstm.quantized = quantized
        self.autocast = False  # whether the encoder's products are of bfloat16

    def forward(self, batch: Batch) -> Tensor:
        """Return emissions (n, n_words, n_tags)."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            hidden = self.encoder(batch.pieces, batch.piece_mask)
        words = hidden.float().gather(1, batch.first_pieces[..., None].expand(-1, -1, hidden.shape[2]))
        chars = self.chars(batch.characters, batch.n_characters)[batch.which]
        padded_chars = chars.new_zeros(*batch.word_mask.shape, chars.shape[1])
        padded_chars[batch.word_mask] = chars
        features = self.dropout(torch.cat([padded_chars, words], 2))
        dense = self.dropout(functional.relu(self.dense(features)))
        context = self.lstm(dense, batch.word_mask.sum(1))
        return self.emissions(self.dropout(context + dense))


def state_of(tensors: Mapping[str, np.ndarray], start: Config, config: Config, line_piece: int | None
             ) -> dict[str, Tensor]:
    """Return a network's state from a model's float32 tensors: the encoder's, and all where the tags are the same.

    start: the model's config; config: the network's; line_piece: see `Encoder`; one that was not trained begins as the
    mean of pieces that part things.
    """
    whole = start.tags == config.tags and start.chars == config.chars and start.context == config.context
    state = {name: torch.from_numpy(np.array(array)) for name, array in _torch_layout(tensors)
             if whole or name.startswith("encoder.")}
    if line_piece is not None:
        words = state["encoder.word_embeddings.weight"]
        state["encoder.line_embedding"] = words[line_piece]
    return state


def _torch_layout(tensors: Mapping[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield PyTorch's names and layouts of the tensors: the inverse of `tensors_of`."""
    for name, array in tensors.items():
        part, _, kind = name.rpartition(".")
        if name.startswith("encoder."):
            yield f"{name}.weight" if name.endswith("_embeddings") else name, array.T if array.ndim == 2 and not (
                name.endswith("_embeddings")) else array
        elif part.endswith(("forward", "backward")):
            lstm = "chars.lstm" if name.startswith("chars") else "lstm"
            lstm += ".right_to_left" if part.endswith("backward") else ".left_to_right"
            if kind == "bias":
                yield f"{lstm}.bias_ih_l0", array
                yield f"{lstm}.bias_hh_l0", np.zeros_like(array)
            else:
                yield f"{lstm}.weight_{kind[2:]}_l0", array.T
        elif name == "chars.cnn.conv.weight":
            yield "chars.conv.weight", array.reshape(3, -1, array.shape[1]).transpose(2, 1, 0)
        elif name.endswith(".embeddings"):
            yield f"{'chars.cnn' if part.endswith('cnn') else 'chars.lstm'}_embeddings.weight", array
        elif name.startswith("crf."):
            yield name, array
        else:
            renamed = name.replace("chars.cnn.conv", "chars.conv").replace("context.dense", "dense")
            yield renamed, array.T if array.ndim == 2 else array


def tensors_of(network: Network) -> dict[str, np.ndarray]:
    """Return a network's weights under the names and in the layouts of `nerlite.weights.expected_tensors`."""
    tensors: dict[str, Tensor] = {}

    def linear(name: str, layer: nn.Linear) -> None:
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = layer.weight.T, layer.bias

    def bilstm(name: str, layer: BiLSTM) -> None:
        for direction, lstm in (("forward", layer.left_to_right), ("backward", layer.right_to_left)):
            tensors[f"{name}.{direction}.w_ih"] = lstm.weight_ih_l0.T
            tensors[f"{name}.{direction}.w_hh"] = lstm.weight_hh_l0.T
            tensors[f"{name}.{direction}.bias"] = lstm.bias_ih_l0 + lstm.bias_hh_l0

    for name, module in network.encoder.named_modules():
        if isinstance(module, nn.Embedding):
            tensors[f"encoder.{name}"] = module.weight
            if name == "word_embeddings" and network.encoder.line_embedding is not None:
                tensors[f"encoder.{name}"] = module.weight.index_put(
                    (torch.tensor([network.encoder.line_piece]),), network.encoder.line_embedding)
        elif isinstance(module, nn.LayerNorm):
            tensors[f"encoder.{name}.weight"], tensors[f"encoder.{name}.bias"] = module.weight, module.bias
        elif isinstance(module, nn.Linear):
            linear(f"encoder.{name}", module)
    conv = network.chars.conv
    tensors["chars.cnn.embeddings"] = network.chars.cnn_embeddings.weight
    tensors["chars.cnn.conv.weight"] = conv.weight.permute(2, 1, 0).reshape(-1, conv.out_channels)
    tensors["chars.cnn.conv.bias"] = conv.bias if conv.bias is not None else torch.zeros(conv.out_channels)
    tensors["chars.lstm.embeddings"] = network.chars.lstm_embeddings.weight
    bilstm("chars.lstm", network.chars.lstm)
    linear("context.dense", network.dense)
    bilstm("context.layers.0", network.lstm)
    linear("emissions", network.emissions)
    (tensors["crf.start_transitions"], tensors["crf.transitions"],
     tensors["crf.end_transitions"]) = network.crf.scores()
    return {name: tensor.detach().numpy() for name, tensor in tensors.items()}
