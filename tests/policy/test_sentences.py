"""Sentences inside sentences, told in any language."""

from gateway.policy.sentences import sentence


def test_parameters_may_be_sentences_and_rows_of_them() -> None:
    steps = tuple(sentence(" → %(role)s", role=role) for role in ("clerk", "boss"))
    whole = sentence("%(who)s at line %(line)s%(steps)s.", who=sentence("the %(name)s", name="100 % one"), line=7, steps=steps)
    assert str(whole) == whole.told() == "the 100 % one at line 7 → clerk → boss."
    words = {"the %(name)s": "der %(name)s", " → %(role)s": " zu %(role)s"}
    assert whole.told(lambda message, values: words.get(message, message) % values) == (
        "der 100 % one at line 7 zu clerk zu boss."
    )
