"""A loss stands on every character that the model wrote, and on none of anybody else's."""

from __future__ import annotations

import copy
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tir_agent.errors import MaskError, MaskRefusal
from tir_agent.messages import Message, Origin, Role
from tir_agent.preferences import Conversation, Reply, decoded_loss, encode

from encoders import ENDS, HOSTILE, MINE, STRIPPING, expected_runs, hostile_conversation, template, tokenizer

TOKENIZERS = ["bytes", "spaced", "smollm2", "gemma3"]
WRITTEN = ["chatml", "chatml_generation", "llama3", "mistral", "gemma"]
ANSWER = "So the answer is 42."


def end_of(name: str, tokenizer: Any) -> str:
    """What is learnt of a turn's end: its token where the tokenizer has one, or what the marks include."""
    if name == "chatml_generation":
        return "<|im_end|>\n"
    end = tokenizer.eos_token if name == "mistral" else ENDS.get(name, "<|im_end|>")
    known = {token.content for token in tokenizer.added_tokens_decoder.values()}
    return end if end in known else ""


def solved(output: str, *, ended: tuple[bool, bool] = (True, True)) -> Conversation:
    """Code, what came of it, and an answer."""
    return Conversation(
        messages=(
            Message.of(Role.USER, ("What is 6 * 7?", Origin.PROBLEM)),
            Message.of(Role.ASSISTANT, (MINE, Origin.MODEL)),
            Message.of(Role.USER, ("```output\n", Origin.PROMPT), (output, Origin.INTERPRETER)),
            Message.of(Role.ASSISTANT, (ANSWER, Origin.MODEL)),
        ),
        opening=1,
        replies=(
            Reply(message=1, start=0, end=len(MINE), ended=ended[0]),
            Reply(message=3, start=0, end=len(ANSWER), ended=ended[1]),
        ),
    )


def rendered(conversation: Conversation, tokenizer: Any, name: str) -> str:
    said = [
        {"role": one.role.value, "content": one.content.encode("utf-8", "replace").decode()}
        for one in conversation.messages
    ]
    return str(tokenizer.apply_chat_template(said, chat_template=template(name), tokenize=False))


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("which", TOKENIZERS)
def test_hostile_texts_change_nothing_about_who_wrote_what(which: str, name: str) -> None:
    reader = tokenizer(which)
    space = (lambda text: text.replace("\u2581", " ")) if which in ("spaced", "gemma3") else str
    for seed in range(60):
        conversation = hostile_conversation(seed)
        encoded = encode(conversation, reader, template=template(name))
        assert len(encoded.input_ids) == len(encoded.loss_mask)
        runs = expected_runs(conversation, strip=name in STRIPPING, end=end_of(name, reader))
        whole = reader.decode(encoded.input_ids, clean_up_tokenization_spaces=False)
        found = [*decoded_loss(encoded, reader), whole]
        wanted = [space(text) for text in (*runs, rendered(conversation, reader, name))]
        if which == "spaced":
            # A tokenizer that puts a space before every text puts one behind every special token too.
            found, wanted = (["".join(text.split()) for text in texts] for texts in (found, wanted))
        assert found == wanted, seed
        assert not any(encoded.loss_mask[: encoded.opening])


@pytest.mark.parametrize("output", HOSTILE)
def test_an_output_cannot_forge_the_end_of_a_turn(output: str) -> None:
    reader = tokenizer("smollm2")
    encoded = encode(solved(output), reader)
    im_end = reader.convert_tokens_to_ids("<|im_end|>")
    # The template writes a system message of its own before the four.
    assert encoded.input_ids.count(im_end) == 5
    assert decoded_loss(encoded, reader) == [MINE + "<|im_end|>", ANSWER + "<|im_end|>"]


def test_a_long_output_is_encoded_whole() -> None:
    reader = tokenizer("bytes")
    output = "".join(HOSTILE)[:-1] * 150
    assert len(output) > 100_000
    encoded = encode(solved(output), reader, template=template("chatml"))
    assert decoded_loss(encoded, reader) == [MINE + "<|im_end|>", ANSWER + "<|im_end|>"]


def test_the_end_of_a_turn_is_learnt_only_where_the_model_came_to_it() -> None:
    reader = tokenizer("bytes")
    for name, end in (("chatml", "<|im_end|>"), ("chatml_generation", "<|im_end|>\n")):
        for ended in ((True, False), (False, True), (False, False)):
            encoded = encode(solved("42", ended=ended), reader, template=template(name))
            first, second = (text + end * came for text, came in zip((MINE, ANSWER), ended, strict=True))
            assert decoded_loss(encoded, reader) == [first, second]


def test_no_end_is_learnt_where_an_output_stands_behind_what_the_model_wrote() -> None:
    reader = tokenizer("bytes")
    message = Message.of(Role.ASSISTANT, (MINE, Origin.MODEL), ("42", Origin.INTERPRETER))
    conversation = Conversation(
        messages=(Message.of(Role.USER, ("?", Origin.PROBLEM)), message),
        opening=1,
        replies=(Reply(message=1, start=0, end=len(MINE), ended=True),),
    )
    assert decoded_loss(encode(conversation, reader, template=template("chatml")), reader) == [MINE]


def test_the_opening_ends_with_the_header_of_the_first_reply() -> None:
    for which, name in (("smollm2", "chatml"), ("bytes", "llama3"), ("bytes", "gemma")):
        reader = tokenizer(which)
        conversation = solved("42")
        encoded = encode(conversation, reader, template=template(name))
        given = [{"role": "user", "content": "What is 6 * 7?"}]
        asked = reader.apply_chat_template(
            given, chat_template=template(name), add_generation_prompt=True, return_dict=False
        )
        assert encoded.input_ids[: encoded.opening] == asked
        assert encoded.loss_mask[encoded.opening] == 1


def test_moving_the_opening_moves_the_loss_and_no_token() -> None:
    reader = tokenizer("smollm2")
    conversation = solved("<|im_end|>\n")
    whole = encode(conversation, reader)
    step = encode(conversation.opened_at(3), reader)
    assert step.input_ids == whole.input_ids
    assert decoded_loss(step, reader) == [ANSWER + "<|im_end|>"]
    assert step.opening > whole.opening
    nothing = encode(conversation.opened_at(4), reader)
    assert nothing.input_ids == whole.input_ids
    assert nothing.opening == len(nothing.input_ids)
    assert not any(nothing.loss_mask)


def test_what_stands_in_an_opening_is_never_learnt_though_a_model_wrote_it() -> None:
    reader = tokenizer("bytes")
    shot = (Message.of(Role.USER, ("1+1?", Origin.PROMPT)), Message.of(Role.ASSISTANT, ("2", Origin.MODEL)))
    problem = Message.of(Role.USER, ("6*7?", Origin.PROBLEM))
    conversation = solved("42").after((*shot, problem))
    encoded = encode(conversation, reader, template=template("chatml"))
    assert decoded_loss(encoded, reader) == [MINE + "<|im_end|>", ANSWER + "<|im_end|>"]


def test_what_replies_begin_with_may_be_given() -> None:
    reader = tokenizer("bytes")
    begun = Message.of(Role.ASSISTANT, ("Let us", Origin.PROMPT), (" see: 42", Origin.MODEL))
    conversation = Conversation(
        messages=(Message.of(Role.USER, ("?", Origin.PROBLEM)), begun),
        opening=1,
        replies=(Reply(message=1, start=6, end=14, ended=True),),
    )
    encoded = encode(conversation, reader, template=template("chatml"))
    assert decoded_loss(encoded, reader) == [" see: 42<|im_end|>"]
    assert reader.decode(encoded.input_ids[: encoded.opening]).endswith("assistant\n")


def raw(*pieces: tuple[str, Origin], ended: bool = True) -> Conversation:
    message = Message.of(Role.RAW, *pieces)
    replies = [
        Reply(message=0, start=span.start, end=span.end, ended=ended)
        for span in message.spans
        if span.origin is Origin.MODEL
    ]
    return Conversation(messages=(message,), opening=0, replies=tuple(replies))


@pytest.mark.parametrize("which", TOKENIZERS)
def test_raw_text_is_encoded_as_it_is(which: str) -> None:
    reader = tokenizer(which)
    eos = reader.eos_token
    pieces = (
        ("Question: ", Origin.PROMPT),
        (f"6*7? {eos}", Origin.PROBLEM),
        (MINE, Origin.MODEL),
        (f"42{eos} ", Origin.INTERPRETER),
        (ANSWER, Origin.MODEL),
    )
    encoded = encode(raw(*pieces), reader)
    assert decoded_loss(encoded, reader) == [MINE, ANSWER + eos]
    assert encoded.input_ids.count(reader.eos_token_id) == 1
    whole = "".join(text for text, _ in pieces) + eos
    begins = reader("a").input_ids[0] == reader.bos_token_id
    assert reader.decode(encoded.input_ids) == (reader.bos_token if begins else "") + whole
    opening = reader.decode(encoded.input_ids[: encoded.opening])
    assert opening.endswith(f"Question: 6*7? {eos}")
    cut = encode(raw(*pieces, ended=False), reader)
    assert decoded_loss(cut, reader) == [MINE, ANSWER]


def test_special_tokens_that_a_prompt_file_writes_into_raw_text_are_tokens() -> None:
    reader = tokenizer("bytes")
    encoded = encode(raw(("<|im_start|>user\n?", Origin.PROMPT), ("<|im_start|>", Origin.MODEL)), reader)
    start = reader.convert_tokens_to_ids("<|im_start|>")
    assert encoded.input_ids.count(start) == 1
    assert encoded.input_ids[0] == start


def test_ids_that_were_sampled_are_kept_where_they_are_the_text() -> None:
    reader = tokenizer("smollm2")
    end = reader.eos_token_id
    letters = [reader(one, add_special_tokens=False).input_ids[0] for one in ANSWER]
    ordinary = reader(ANSWER, add_special_tokens=False).input_ids
    assert len(letters) > len(ordinary)

    def encoded(ids: list[int]) -> list[int]:
        replies = solved("42").replies
        reply = replies[1].model_copy(update={"token_ids": tuple(ids)})
        conversation = solved("42").model_copy(update={"replies": (replies[0], reply)})
        return encode(conversation, reader).input_ids

    usual = encode(solved("42"), reader).input_ids
    for kept in (letters, [*letters, end], [*letters, end, end]):
        assert encoded(kept) == usual[: -len(ordinary) - 2] + letters + usual[-2:]
    for other in ([], letters[:-1], [*letters, letters[0]], [end, *letters], [10**6], [-1, *letters]):
        assert encoded(other) == usual


def test_ids_of_a_reply_whose_ends_the_template_strips_are_not_kept() -> None:
    reader = tokenizer("bytes")
    text = f" {ANSWER}\n"
    ids = tuple(reader(text, add_special_tokens=False).input_ids)
    conversation = Conversation(
        messages=(
            Message.of(Role.USER, ("?", Origin.PROBLEM)),
            Message.of(Role.ASSISTANT, (text, Origin.MODEL)),
        ),
        opening=1,
        replies=(Reply(message=1, start=0, end=len(text), ended=False, token_ids=ids),),
    )
    assert decoded_loss(encode(conversation, reader, template=template("gemma")), reader) == [ANSWER]
    assert decoded_loss(encode(conversation, reader, template=template("chatml")), reader) == [text]


def test_outputs_that_a_template_writes_as_json_are_still_text() -> None:
    reader = tokenizer("bytes")
    conversation = solved("")
    for output in HOSTILE:
        told = Message.of(Role.TOOL, (f'"{output}', Origin.INTERPRETER))
        messages = (*conversation.messages[:2], told, conversation.messages[3])
        encoded = encode(
            conversation.model_copy(update={"messages": messages}), reader, template=template("llama3")
        )
        end = reader.convert_tokens_to_ids("<|eot_id|>")
        assert encoded.input_ids.count(end) == 4
        assert decoded_loss(encoded, reader) == [MINE.strip() + "<|eot_id|>", ANSWER + "<|eot_id|>"]


def test_a_tokenizer_that_loses_text_is_refused() -> None:
    with pytest.raises(MaskError) as caught:
        encode(solved("42"), tokenizer("words"), template=template("chatml"))
    assert caught.value.refusal is MaskRefusal.TOKENIZER


def test_a_tokenizer_is_left_as_it_was() -> None:
    reader = tokenizer("bytes")
    encode(solved("42"), reader, template=template("chatml"))
    assert reader.backend_tokenizer.encode_special_tokens is False
    assert reader("<|im_end|>").input_ids == [reader.convert_tokens_to_ids("<|im_end|>")]


def test_a_tokenizer_without_a_template_needs_one() -> None:
    with pytest.raises(MaskError, match="no chat template") as caught:
        encode(solved("42"), tokenizer("bytes"))
    assert caught.value.refusal is MaskRefusal.NO_TEMPLATE


def test_a_template_that_fails_says_why() -> None:
    conversation = solved("42")
    twice = conversation.model_copy(update={"messages": conversation.messages[1:], "replies": ()})
    with pytest.raises(MaskError, match="roles must alternate") as caught:
        encode(twice, tokenizer("bytes"), template=template("mistral"))
    assert caught.value.refusal is MaskRefusal.NO_TEMPLATE


def test_a_template_that_leaves_out_a_message_is_refused() -> None:
    short = "{% for message in messages[-1:] %}<|im_start|>{{ message.content }}<|im_end|>{% endfor %}"
    with pytest.raises(MaskError, match=r"leaves out message 1 of 4 \(user\)") as caught:
        encode(solved("42"), tokenizer("bytes"), template=short)
    assert caught.value.refusal is MaskRefusal.LEFT_OUT


def test_a_template_that_writes_a_reply_twice_is_refused() -> None:
    with pytest.raises(MaskError, match="2 times"):
        encode(solved("42"), tokenizer("bytes"), template=template("chatml") * 2)


def test_an_end_that_swallows_a_line_break_is_one_token() -> None:
    reader = copy.deepcopy(tokenizer("bytes"))
    from tokenizers import AddedToken

    reader.add_tokens([AddedToken("<|im_end|>", special=True, rstrip=True, normalized=False)])
    reader.add_tokens([AddedToken("<|done|>", special=True, rstrip=True, normalized=False)])
    done = template("chatml").replace("<|im_end|>", "<|done|>")
    encoded = encode(solved("42 <|done|>\n"), reader, template=done)
    assert decoded_loss(encoded, reader) == [MINE + "<|done|>", ANSWER + "<|done|>"]
    whole = reader.apply_chat_template(
        [{"role": one.role.value, "content": one.content} for one in solved("42").messages],
        chat_template=done,
        return_dict=False,
    )
    end = reader.convert_tokens_to_ids("<|done|>")
    assert encode(solved("42"), reader, template=done).input_ids[-3:] == whole[-3:]
    assert whole[-1] == end


def test_replies_that_follow_one_another_keep_the_ids_of_each() -> None:
    reader = tokenizer("bytes")
    letters = tuple(reader("42.", add_special_tokens=False).input_ids)
    spelt = tuple(reader(one, add_special_tokens=False).input_ids[0] for one in ANSWER)
    text = "42." + ANSWER
    conversation = Conversation(
        messages=(
            Message.of(Role.USER, ("?", Origin.PROBLEM)),
            Message.of(Role.ASSISTANT, (text, Origin.MODEL)),
        ),
        opening=1,
        replies=(
            Reply(message=1, start=0, end=3, ended=True, token_ids=letters),
            Reply(message=1, start=3, end=len(text), ended=False, token_ids=spelt),
        ),
    )
    encoded = encode(conversation, reader, template=template("chatml"))
    learnt = [one for one, mask in zip(encoded.input_ids, encoded.loss_mask, strict=True) if mask]
    assert tuple(learnt) == letters + spelt


def test_many_threads_may_share_a_tokenizer() -> None:
    reader = tokenizer("bytes")
    written = template("chatml_generation")
    conversations = [hostile_conversation(seed) for seed in range(40)]
    alone = [encode(one, reader, template=written) for one in conversations]
    with ThreadPoolExecutor(8) as pool:
        assert (
            list(pool.map(lambda one: encode(one, reader, template=written), conversations * 3)) == alone * 3
        )


def test_nothing_heavy_is_imported_with_the_package() -> None:
    code = "import sys, tir_agent.preferences; sys.exit(bool({'transformers', 'torch'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
