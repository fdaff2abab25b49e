"""A small WordPiece tokenizer for text encoders with random weights, so that a pipeline has something to read with.

It follows from the zoo's sentences alone: the same vocabulary on every machine. What does not fit a vocabulary's size
is left out from the end: letters come first, so that every English text can be read, if only letter by letter.
"""

import json
import string
from pathlib import Path
from typing import Any

from exporters.zoo.data import sentences

SPECIAL = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}


def write_tokenizer(folder: Path, vocab_size: int, most_tokens: int | None) -> None:
    """`tokenizer.json` and `tokenizer_config.json`, as BERT's tokenizer reads them."""
    from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers
    from tokenizers.models import WordPiece
    from tokenizers.processors import TemplateProcessing

    vocabulary = {token: number for number, token in enumerate(_tokens()[:vocab_size])}
    tokenizer: Any = Tokenizer(WordPiece(vocabulary, unk_token=SPECIAL["unk_token"]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")],
    )
    tokenizer.add_special_tokens(list(SPECIAL.values()))
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, **SPECIAL}
    config |= {"model_max_length": most_tokens} if most_tokens else {}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")


def _tokens() -> list[str]:
    """Special ones, letters, digits and signs, the same inside a word, then the sentences' words."""
    single = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    inside = [f"##{each}" for each in (*string.ascii_lowercase, *string.digits)]
    kept = str.maketrans("", "", string.punctuation.replace("-", ""))
    words = {part for text in sentences() for part in text.lower().replace("-", " ").translate(kept).split()}
    return [*SPECIAL.values(), *single, *inside, *sorted(words - set(single))]
