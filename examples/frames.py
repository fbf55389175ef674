"""A data frame's texts, `pip install pandas`: their entities as a frame of their own, and as a column."""

import pandas as pd

import nerlite
from nerlite.frames import add_entities

ner = nerlite.load()
letters = pd.DataFrame({
    "id": ["a", "b", "c"],
    "text": ["Ada Lovelace met Charles Babbage in London.", None, "The Royal Society met again."],
})

# A row an entity; the context of each text, here its id, says where it was.
texts = letters.dropna()
print(nerlite.to_frame(ner.pipe(zip(texts["text"], texts["id"], strict=True))).round(2).to_string())

# A list of entities a row, null where the text is.
tagged = add_entities(letters, "text", ner)
print(tagged.explode("entities", ignore_index=True)["entities"].str["label"].value_counts().to_string())
