"""Names stay here: a language model elsewhere sees placeholders, and its answer gets the names back."""

import nerlite
from nerlite.redaction import Placeholders

MESSAGES = [
    "Maria Keller of Acme Corp wrote from Zurich: her order has not come. She asks for Tom Baker.",
    "Tom Baker answered that Acme Corp moved to Geneva. Write to Maria Keller about it.",
]


def language_model(prompts: list[str]) -> str:
    """Stand in for the one that is asked."""
    assert "Keller" not in " ".join(prompts)
    return "Dear [PER_1], your order went to the old address of [ORG_1] in [LOC_1]. [PER_2] sends it to [LOC_2] now."


ner = nerlite.load()
placeholders = Placeholders()  # one for the whole conversation: the same name, the same number
prompts = [document.redact(placeholders) for document in ner.pipe(MESSAGES)]
print(*prompts, sep="\n")

answer = language_model(prompts)
print(placeholders.restore(answer))
placeholders.save("conversation.json")  # readable for you alone; Placeholders.load goes on from there
