"""Turn saved Spark NLP models into a nerlite model directory, without a JVM and without TensorFlow."""
