"""Saved Spark NLP stages → one nerlite model directory."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from nerlite.config import Config, SparkNLPConfig
from nerlite.model_directory import check_destination, write_model
from nerlite.sparknlp.pieces import MAX_WORD_LENGTH
from nerlite.sparknlp.tagging import UNUSED

from .archive import open_saved
from .distilbert import Encoder, read_distilbert
from .errors import ConversionError
from .ner import Head, read_ner
from .pipeline import EMBEDDINGS, NER, PIPELINE, read_pipeline
from .stage import Stage, read_stage

Dtype = Literal["float32", "float16", "int8"]
SparkVersion = Literal["3.2", "3.4"]


def convert(sources: Sequence[Path], dst: Path, *, name: str | None = None, dtype: Dtype = "float32",
            spark_version: SparkVersion = "3.2") -> Config:
    """Convert saved Spark NLP models to the model directory dst and return its config.

    sources: a DistilBertEmbeddings and a NerDLModel, or one PipelineModel that holds both; each a folder or a zip.
    name: the model's name, that of the last source's file if None. dtype: as `Config.dtype`. spark_version: whose
    rules the model follows, as `SparkNLPConfig.version`.
    Raises `ConversionError` for what is damaged or cannot be represented, `ModelError` for a dst in use; nothing is
    written then.
    """
    check_destination(dst)
    # Windows cannot remove files that are still mapped.
    with tempfile.TemporaryDirectory(prefix="convert-sparknlp-", ignore_cleanup_errors=True) as scratch:
        embeddings, ner, white_list = _stages(sources, Path(scratch))
        references = [stage.param("storageRef", str, stage.uid) for stage in (embeddings, ner)]
        if references[0] != references[1]:
            raise ConversionError(f"{ner.shown}: storageRef: trained on the embeddings {references[1]!r}, but "
                                  f"{embeddings.shown} is {references[0]!r}")
        encoder = read_distilbert(embeddings, Path(scratch))
        head = read_ner(ner, Path(scratch), encoder.config.hidden_size)
        spark = SparkNLPConfig(
            version=spark_version, case_sensitive=encoder.case_sensitive,
            max_sentence_length=encoder.max_sentence_length,
            include_confidence=ner.param("includeConfidence", bool, False),
            include_all_confidence_scores=ner.param("includeAllConfidenceScores", bool, False), white_list=white_list)
        config = Config(
            name=name or _file_name(sources[-1]), encoder=encoder.config, tags=head.tags, scheme="IOB2",
            decoder="crf", crf_boundaries=False, chars=head.chars, context=head.context,
            window=encoder.max_sentence_length, dtype=dtype, sparknlp=spark)
        card = _model_card(config, spark, head, f"`{embeddings.uid}` and `{ner.uid}`")
        return write_model(config, encoder.tensors | head.tensors, _tokenizer_json(encoder), card, dst)


def _stages(sources: Sequence[Path], scratch: Path) -> tuple[Stage, Stage, tuple[str, ...] | None]:
    """Return the embeddings, the NER model and NerConverter's white list."""
    opened = []
    for i, source in enumerate(sources):
        (folder := scratch / f"source-{i}").mkdir()
        opened.append(read_stage(open_saved(source, folder)))
    expected = (PIPELINE,) if len(opened) == 1 else (EMBEDDINGS, NER)
    for stage, wanted in zip(opened, expected, strict=True):
        if stage.class_name != wanted:
            raise ConversionError(f"{stage.folder.shown}: expected a saved {wanted}, got {stage.class_name}")
    return read_pipeline(opened[0]) if len(opened) == 1 else (opened[0], opened[1], None)


def _file_name(source: Path) -> str:
    return source.resolve().name.removesuffix(".zip")


def _tokenizer_json(encoder: Encoder) -> str:
    """Return the text of a tokenizer.json: BERT's WordPiece with the limits and the normalization of Spark NLP."""
    tokenizer = Tokenizer(models.WordPiece(encoder.vocabulary, unk_token="[UNK]",
                                           max_input_chars_per_word=MAX_WORD_LENGTH))
    tokenizer.normalizer = normalizers.BertNormalizer(strip_accents=True, lowercase=not encoder.case_sensitive)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer.to_str()


def _model_card(config: Config, spark: SparkNLPConfig, head: Head, uids: str) -> str:
    """Return the text of README.md."""
    encoder, context = config.encoder, head.context
    tags = " ".join(tag for tag in head.tags if not tag.startswith(UNUSED))
    lines = [
        f"# {config.name}", "",
        f"Converted by tools/convert_sparknlp from the models {uids} that Spark NLP saved; their licences hold for it. "
        f"It answers as Spark NLP {spark.version} does with one document at a time.", "",
        f"- encoder: DistilBERT, {encoder.num_hidden_layers} layers, {encoder.hidden_size} wide, "
        f"{encoder.num_attention_heads} heads, {encoder.vocab_size} pieces, "
        f"{'cased' if spark.case_sensitive else 'uncased'}, at most {spark.max_sentence_length} pieces at once",
        f"- characters: {len(head.chars.alphabet)}, {head.chars.feature_size} features of a CNN and a BiLSTM",
        f"- context: dense {context.dense_size}, {context.num_layers} residual peephole BiLSTM layers of "
        f"{context.lstm_hidden_size} units a direction, CRF",
        f"- tags: {tags}",
    ]
    if spark.white_list is not None:
        lines.append(f"- chunks of these labels only: {' '.join(spark.white_list)}")
    return "\n".join(lines) + "\n"
