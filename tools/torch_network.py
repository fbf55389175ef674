"""nerlite's network in PyTorch, for training: the same numbers, padded and differentiable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nerlite.config import CharCNNConfig, CharLSTMConfig, Config, EncoderConfig
from nerlite.network.crf import FORBIDDEN
from nerlite.tags import allowed_transitions

ENCODER_DROPOUT, HEAD_DROPOUT = 0.1, 0.3


class Batch(NamedTuple):
    """Padded windows: pieces (n, longest), word tensors (n, most words), characters of all words (n_words, longest)."""

    pieces: Tensor
    piece_mask: Tensor
    first_pieces: Tensor
    word_mask: Tensor
    tags: Tensor
    characters: Tensor
    n_characters: Tensor


class EncoderLayer(nn.Module):
    """One transformer layer, normalised after each sum."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        hidden, inner = config.hidden_size, config.intermediate_size
        self.n_heads = config.num_attention_heads
        self.qkv = nn.Linear(hidden, 3 * hidden)
        self.attention_out = nn.Linear(hidden, hidden)
        self.attention_norm = nn.LayerNorm(hidden, config.layer_norm_eps)
        self.ffn_in = nn.Linear(hidden, inner)
        self.ffn_out = nn.Linear(inner, hidden)
        self.ffn_norm = nn.LayerNorm(hidden, config.layer_norm_eps)
        self.dropout = nn.Dropout(ENCODER_DROPOUT)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return x (n, n_pieces, hidden) after the layer; mask (n, n_pieces) is False at padding."""
        n, length, hidden = x.shape
        q, k, v = self.qkv(x).view(n, length, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        dropout = ENCODER_DROPOUT if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(q, k, v, mask[:, None, None], dropout_p=dropout)
        mixed = mixed.transpose(1, 2).reshape(n, length, hidden)
        x = self.attention_norm(x + self.dropout(self.attention_out(mixed)))
        return self.ffn_norm(x + self.dropout(self.ffn_out(functional.gelu(self.ffn_in(x)))))


class Encoder(nn.Module):
    """BERT or DistilBERT, BERT's type-0 embedding being part of the positions."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.embedding_norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.num_hidden_layers))
        self.dropout = nn.Dropout(ENCODER_DROPOUT)

    def forward(self, pieces: Tensor, mask: Tensor) -> Tensor:
        """Return the last hidden state (n, n_pieces, hidden) of piece ids (n, n_pieces)."""
        x = self.word_embeddings(pieces) + self.position_embeddings.weight[:pieces.shape[1]]
        x = self.dropout(self.embedding_norm(x))
        for layer in self.layers:
            x = layer(x, mask)
        return x


class CharFeatures(nn.Module):
    """[CNN, forward LSTM state, backward LSTM state] of each word; beyond a word's ends the CNN sees zeros."""

    def __init__(self, n_ids: int, cnn: CharCNNConfig, lstm: CharLSTMConfig) -> None:
        super().__init__()
        self.cnn_embeddings = nn.Embedding(n_ids, cnn.embedding_size)
        self.conv = nn.Conv1d(cnn.embedding_size, cnn.num_filters, 3, padding=1)
        self.lstm_embeddings = nn.Embedding(n_ids, lstm.embedding_size)
        self.lstm = nn.LSTM(lstm.embedding_size, lstm.hidden_size, bidirectional=True, batch_first=True)

    def forward(self, characters: Tensor, n_characters: Tensor) -> Tensor:
        """Return features (n_words, n_filters + 2 * hidden) of character ids (n_words, longest)."""
        mask = (torch.arange(characters.shape[1]) < n_characters[:, None])[..., None]
        filtered = functional.relu(self.conv((self.cnn_embeddings(characters) * mask).transpose(1, 2)))
        pooled = (filtered * mask.transpose(1, 2)).amax(2)  # ReLU's results are >= 0: zeros take no part
        packed = pack_padded_sequence(self.lstm_embeddings(characters), n_characters, batch_first=True,
                                      enforce_sorted=False)
        _, (states, _) = self.lstm(packed)
        return torch.cat([pooled, states[0], states[1]], 1)


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

    def forward(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Return the sum of the sequences' negative log-likelihoods; emissions (n, n_words, n_tags)."""
        start, between, end = self.scores()
        picked = emissions.gather(2, tags[..., None])[..., 0]
        steps = picked[:, 1:] + between[tags[:, :-1], tags[:, 1:]]
        last = tags.gather(1, mask.sum(1, keepdim=True) - 1)[:, 0]
        gold = start[tags[:, 0]] + picked[:, 0] + (steps * mask[:, 1:]).sum(1) + end[last]
        alpha = start + emissions[:, 0]
        for i in range(1, emissions.shape[1]):
            following = torch.logsumexp(alpha[:, :, None] + between, 1) + emissions[:, i]
            alpha = torch.where(mask[:, i, None], following, alpha)
        return (torch.logsumexp(alpha + end, 1) - gold).sum()


class Network(nn.Module):
    """The whole network."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        chars, context = config.chars, config.context
        if chars is None or chars.cnn is None or chars.lstm is None or context is None:
            raise ValueError("config: expected chars.cnn, chars.lstm and context")
        self.encoder = Encoder(config.encoder)
        self.chars = CharFeatures(len(chars.alphabet) + 1, chars.cnn, chars.lstm)
        self.dense = nn.Linear(config.features_size, context.dense_size)
        self.lstm = nn.LSTM(context.dense_size, context.lstm_hidden_size, bidirectional=True, batch_first=True)
        self.emissions = nn.Linear(config.emission_input_size, len(config.tags))
        self.crf = CRF(config.tags, config.scheme)
        self.dropout = nn.Dropout(HEAD_DROPOUT)

    def forward(self, batch: Batch) -> Tensor:
        """Return emissions (n, n_words, n_tags)."""
        hidden = self.encoder(batch.pieces, batch.piece_mask)
        words = hidden.gather(1, batch.first_pieces[..., None].expand(-1, -1, hidden.shape[2]))
        chars = self.chars(batch.characters, batch.n_characters)
        padded_chars = chars.new_zeros(*batch.word_mask.shape, chars.shape[1])
        padded_chars[batch.word_mask] = chars
        features = self.dropout(torch.cat([padded_chars, words], 2))
        dense = self.dropout(functional.relu(self.dense(features)))
        packed = pack_padded_sequence(dense, batch.word_mask.sum(1), batch_first=True, enforce_sorted=False)
        context, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.emissions(self.dropout(context + dense))


def encoder_state(tensors: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Return an `Encoder`'s state from the encoder's tensors of `nerlite.weights.expected_tensors`."""
    state = {}
    for name, array in tensors.items():
        key = name.removeprefix("encoder.")
        if key.endswith("_embeddings"):
            key += ".weight"
        elif array.ndim == 2:
            array = array.T
        state[key] = torch.from_numpy(np.array(array))
    return state


def tensors_of(network: Network) -> dict[str, np.ndarray]:
    """Return a network's weights under the names and in the layouts of `nerlite.weights.expected_tensors`."""
    tensors: dict[str, Tensor] = {}

    def linear(name: str, layer: nn.Linear) -> None:
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = layer.weight.T, layer.bias

    def bilstm(name: str, layer: nn.LSTM) -> None:
        for direction, end in (("forward", "l0"), ("backward", "l0_reverse")):
            tensors[f"{name}.{direction}.w_ih"] = getattr(layer, f"weight_ih_{end}").T
            tensors[f"{name}.{direction}.w_hh"] = getattr(layer, f"weight_hh_{end}").T
            tensors[f"{name}.{direction}.bias"] = getattr(layer, f"bias_ih_{end}") + getattr(layer, f"bias_hh_{end}")

    for name, module in network.encoder.named_modules():
        if isinstance(module, nn.Embedding):
            tensors[f"encoder.{name}"] = module.weight
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
