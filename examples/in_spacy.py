"""nerlite in a spaCy pipeline, beside a rule of one's own: `pip install 'nerlite[spacy]'`.

Prints:

    Angela Merkel   PER      0.9...
    Project Falcon  PROJECT  None
    Acme Corp.      ORG      0...
    Berlin          LOC      0.9...
    saved and loaded again: True
"""

import tempfile

import spacy

TEXT = "Angela Merkel learned of Project Falcon, for which Acme Corp. pays, in Berlin."

nlp = spacy.blank("en")
ruler = nlp.add_pipe("entity_ruler")  # what it finds stays
ruler.add_patterns([{"label": "PROJECT", "pattern": [{"LOWER": "project"}, {"IS_TITLE": True}]}])
nlp.add_pipe("nerlite")
doc = nlp(TEXT)
for span in doc.ents:
    score = span._.nerlite_score
    print(f"{span.text:<15} {span.label_:<8} {score if score is None else f'{score:.2f}'}")

# nlp.pipe tags in batches. A saved pipeline has the model in it; this one finds it there.
with tempfile.TemporaryDirectory() as folder:
    nlp.to_disk(folder)
    again = spacy.load(folder, config={"components": {"nerlite": {"threads": 1}}})
    docs = list(again.pipe([TEXT] * 3, batch_size=256))
print("saved and loaded again:", all(str(each.ents) == str(doc.ents) for each in docs))
