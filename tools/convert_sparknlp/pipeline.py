"""A saved PipelineModel: its embeddings and NER stages, and a check that nerlite does what the others do."""

from __future__ import annotations

from .archive import Folder
from .errors import ConversionError
from .java_objects import JavaObject
from .stage import Stage, read_stage

PIPELINE, EMBEDDINGS, NER = "PipelineModel", "DistilBertEmbeddings", "NerDLModel"
_ASSEMBLER, _TOKENIZER, _CONVERTER = "DocumentAssembler", "TokenizerModel", "NerConverter"

_CONTEXT = r"""\Q.,;:!?*-()"'\E"""
_RULE = rf"\A([{_CONTEXT}]*)([^{_CONTEXT}](?:.*[^{_CONTEXT}])*)([{_CONTEXT}]*)\z"
# The settings that change what a stage does, and the only values of them that nerlite follows.
_SETTINGS: dict[str, dict[str, tuple[object, ...]]] = {
    _ASSEMBLER: {"cleanupMode": ("disabled",)},
    _TOKENIZER: {"targetPattern": (r"\S+",), "minLength": (0,), "maxLength": (99999,), "exceptions": ([],),
                 "splitPattern": (), "splitChars": ([],)},
    _CONVERTER: {"preservePosition": (True,), "nerHasNoSchema": (False,)},
}


def read_pipeline(pipeline: Stage) -> tuple[Stage, Stage, tuple[str, ...] | None]:
    """Return a pipeline's embeddings, its NER model and NerConverter's white list.

    `ConversionError` for a stage of another kind, a kind twice, or a setting that nerlite does not follow.
    """
    stages: dict[str, Stage] = {}
    for folder in _stage_folders(pipeline):
        stage = read_stage(folder)
        if stage.class_name not in (_ASSEMBLER, _TOKENIZER, EMBEDDINGS, NER, _CONVERTER) or stage.class_name in stages:
            raise ConversionError(
                f"{stage.shown}: nerlite follows a pipeline of one each of {_ASSEMBLER}, {_TOKENIZER}, {EMBEDDINGS}, "
                f"{NER} and {_CONVERTER}; convert the embeddings and the NER stage of another by themselves")
        _check_settings(stage)
        stages[stage.class_name] = stage
    if missing := [name for name in (EMBEDDINGS, NER) if name not in stages]:
        raise ConversionError(f"{pipeline.shown}: expected a stage of class {' and one of '.join(missing)}")
    if _TOKENIZER in stages:
        _check_rule(stages[_TOKENIZER])
    white_list = stages[_CONVERTER].strings("whiteList") if _CONVERTER in stages else None
    return stages[EMBEDDINGS], stages[NER], white_list


def _stage_folders(pipeline: Stage) -> list[Folder]:
    """Return the folders stages/INDEX_UID in the order of the pipeline."""
    uids = pipeline.strings("stageUids") or ()
    folder = pipeline.folder / "stages"
    found = {path.name.partition("_")[2]: path.name for path in folder.path.iterdir()} if folder.path.is_dir() else {}
    if missing := [uid for uid in uids if uid not in found]:
        raise ConversionError(f"{folder.shown}: no folder for the stages {', '.join(missing)}")
    return [folder / found[uid] for uid in uids]


def _check_settings(stage: Stage) -> None:
    for name, followed in _SETTINGS.get(stage.class_name, {}).items():
        value = stage.params.get(name, stage.defaults.get(name))
        if value is not None and value not in followed:
            raise ConversionError(f"{stage.shown}: {name}: {value!r:.80} is not supported, "
                                  f"only {' or '.join(map(repr, followed)) or 'none'}")


def _check_rule(tokenizer: Stage) -> None:
    """Refuse other context characters, prefixes, suffixes or infixes than the Tokenizer's own."""
    factory, shown = tokenizer.object_field("rules")
    rules = factory.fields.get("rules")
    found = [rule.fields.get("rule") for rule in rules if isinstance(rule, JavaObject)] if isinstance(
        rules, list) else []
    if found != [_RULE]:
        raise ConversionError(f"{shown}: expected the Tokenizer's default rule, got {', '.join(map(str, found)):.300}")
