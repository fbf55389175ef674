"""nerlite on Spark: `pip install 'nerlite[spark]'`, and a Java runtime.

    python examples/in_spark.py [N]      # N sentences, 200 if not said; two Python workers

Prints, and how long it took:

    +-----+-------+-----+
    |label|name   |count|
    +-----+-------+-----+
    |PER  |Obama  |50   |
    |ORG  |Siemens|50   |
    |LOC  |Berlin |50   |
    |LOC  |Paris  |50   |
    +-----+-------+-----+
    root: id, text, document, token, ner, ner_chunk
"""

import os
import sys
import tempfile
import time

from pyspark.sql import SparkSession
from pyspark.sql.functions import col, explode

from nerlite.integrations.spark import annotate, tag_udf

os.environ["PYSPARK_PYTHON"] = sys.executable
n = int(sys.argv[1]) if len(sys.argv) > 1 else 200
spark = (SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
         .config("spark.sql.shuffle.partitions", "2").getOrCreate())
spark.sparkContext.setLogLevel("OFF")

# A frame that Spark makes: in a job this is spark.read.parquet(...). Partitions of some minutes' work each are best.
sentences = ["'Obama spoke to the press last week.'", "'It rained in Berlin for most of the day.'",
             "'The train to Paris left on time.'", "'Shares of Siemens rose by two percent.'"]
texts = spark.range(n, numPartitions=8).selectExpr("id", f"array({', '.join(sentences)})[id % 4] AS text")

with tempfile.TemporaryDirectory() as folder:
    started = time.time()
    texts.withColumn("entities", tag_udf()("text")).write.mode("overwrite").parquet(folder)
    seconds = time.time() - started
    entities = spark.read.parquet(folder).select(explode("entities").alias("entity"))
    names = entities.groupBy(col("entity.label").alias("label"), col("entity.text").alias("name")).count()
    names.orderBy(col("label").desc(), "name").show(truncate=False)

# For who comes from Spark NLP: its columns.
print("root:", ", ".join(annotate(texts).columns))
print(f"{n:,} sentences in {seconds:.0f} s", file=sys.stderr)
spark.stop()
