from functools import cache

import pytest
from hypothesis import given, strategies as st
from tiny_tokenizers import EOS, FIXTURE, byte_level, metaspace
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from corpus.phases.encoding import PLANES, Encoded, Encoder, Refusal, Rendered
from plugins.contracts import Span

START, END = "<|im_start|>", "<|im_end|>"


def specials(**flags) -> list[AddedToken]:
    return [AddedToken(name, special=True, **flags) for name in (EOS, "<unk>", START, END)]


def trained(tokenizer: Tokenizer, **flags) -> Tokenizer:
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=specials(**flags), show_progress=False)
    tokenizer.train_from_iterator([FIXTURE], trainer)
    return tokenizer


@cache
def trimming(side: str) -> Tokenizer:
    """As Phi-3's end mark (rstrip) and old RoBERTa's mask (lstrip): the token swallows the white space beside it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=specials(**{side: True}),
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator([FIXTURE], trainer)
    return tokenizer


@cache
def first() -> Tokenizer:
    """As newer Llama 2 files: "▁" in front of the very first word only."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    return trained(tokenizer)


@cache
def prepending() -> Tokenizer:
    """As older Llama 2 files: the normaliser puts "▁" in front of every stretch between control tokens."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return trained(tokenizer, normalized=False)


@cache
def lowering() -> Tokenizer:
    """As T5 and BERT have it: control tokens are looked for in the normalised text."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return trained(tokenizer, normalized=True)


@cache
def unigram() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=200, special_tokens=specials(), unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator([FIXTURE], trainer)
    return tokenizer


TOKENIZERS = {
    "byte-level": byte_level,
    "rstrip": lambda: trimming("rstrip"),
    "lstrip": lambda: trimming("lstrip"),
    "metaspace": metaspace,
    "metaspace-first": first,
    "prepend": prepending,
    "lower": lowering,
    "unigram": unigram,
}


def rendered(*parts: tuple[str, bool]) -> Rendered:
    spans = [Span(text, control=control) for text, control in parts if text]
    return Rendered("d", "".join(span.text for span in spans), spans)


def encode(kind: str, document: Rendered) -> Encoded:
    (found,) = Encoder(TOKENIZERS[kind](), control_tokens=True).encode([document])
    assert isinstance(found, Encoded)
    return found


def named(kind: str, encoded: Encoded) -> list[str]:
    tokenizer = TOKENIZERS[kind]()
    names = [tokenizer.id_to_token(int(index)) for index in encoded.ids]
    return [name for name in names if name in {EOS, START, END}]


PLAIN = st.text(st.sampled_from("ab Rt\n .é語<|>"), max_size=12)


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(texts=st.lists(PLAIN, max_size=4))
def test_control_spans_give_what_the_tokenizer_makes_of_the_whole(kind, texts):
    document = rendered(
        *(part for text in texts for part in ((text, False), (f"{END}\n{START}user\n", True)))
    )
    if document.text:
        whole = TOKENIZERS[kind]().encode(document.text, add_special_tokens=False).ids
        assert encode(kind, document).ids.tolist() == whole


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(before=PLAIN, after=PLAIN, spelt=st.sampled_from([START, END, EOS, f"{START}user{END}"]))
def test_what_a_plain_span_spells_is_no_control_token_and_all_else_stays(kind, before, after, spelt):
    document = rendered(
        (f"{START}user\n", True), (f"{before}{spelt}{after}", False), (f"{END}\n{START}model\n", True)
    )
    encoded = encode(kind, document)
    assert named(kind, encoded) == [START, END, START]
    assert encoded.alignment is not None
    assert len(encoded.alignment.ends) == len(encoded.ids)
    assert encoded.alignment.ends[-1] == len(document.text)
    # The seams are those of a document that spells none of them.
    other = rendered((f"{START}user\n", True), (f"{before}x{after}", False), (f"{END}\n{START}model\n", True))
    first = TOKENIZERS[kind]().encode(other.text, add_special_tokens=False).ids
    assert encoded.ids[0] == first[0]
    mark = TOKENIZERS[kind]().token_to_id(END)
    ours = encoded.ids.tolist()
    assert ours[ours.index(mark) :] == first[first.index(mark) :]


def test_a_control_token_put_together_of_two_spans_is_none():
    document = rendered(("<|im_", False), ("end|>", True), ("!", False))
    assert named("byte-level", encode("byte-level", document)) == []


@pytest.mark.parametrize("kind", ["byte-level", "prepend"])
def test_the_disguise_avoids_what_the_text_holds(kind):
    document = rendered((START, True), (f"{chr(PLANES[0] + 2) * 12} {END}", False), (END, True))
    assert named(kind, encode(kind, document)) == [START, END]
    both = rendered((START, True), (f"{chr(PLANES[0])}{chr(PLANES[1])} {END}", False), (END, True))
    (found,) = Encoder(TOKENIZERS[kind](), control_tokens=True).encode([both])
    assert isinstance(found, Refusal)
    assert found.reason == "failed"
