"""Spark NLP's rules around the network, for models converted from it, and its shapes for results.

A text goes through `split` (Tokenizer), `SparkPieceEncoder.inputs` (DistilBertEmbeddings), the network, and
`tag_document` (NerDLModel and NerConverter). `to_annotations` and `predict` give results as Spark NLP and NLU do.
"""

from nerlite.sparknlp.annotations import to_annotations
from nerlite.sparknlp.nlu import predict
from nerlite.sparknlp.pieces import SparkPieceEncoder
from nerlite.sparknlp.tagging import SparkDocument, tag_document
from nerlite.sparknlp.tokenizer import split

__all__ = ["SparkDocument", "SparkPieceEncoder", "predict", "split", "tag_document", "to_annotations"]
