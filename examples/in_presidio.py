"""nerlite in Presidio, which then needs no spaCy model: `pip install 'nerlite[presidio]'`.

Prints:

    John Smith    PERSON        0.9...
    212-555-5555  PHONE_NUMBER  0.75
    Berlin        LOCATION      0.9...
    [2, 0, 1] results in three texts of a batch
"""

from presidio_analyzer import AnalyzerEngine, BatchAnalyzerEngine

from nerlite.integrations.presidio import NerliteNlpEngine

analyzer = AnalyzerEngine(nlp_engine=NerliteNlpEngine(), supported_languages=["en"])
text = "My name is John Smith, my phone number is 212-555-5555, I live in Berlin."
for result in sorted(analyzer.analyze(text, "en"), key=lambda each: each.start):
    print(f"{text[result.start:result.end]:<13} {result.entity_type:<13} {result.score:.2f}")

# The engine tags many texts together; a recognizer, NerliteRecognizer, would be called text by text.
texts = ["Angela Merkel flew to Paris.", "Nobody was there.", "It rained in Oslo."]
results = BatchAnalyzerEngine(analyzer).analyze_iterator(texts, "en")
print([len(each) for each in results], "results in three texts of a batch")
