"""What stands between a prompt and its answer, for every end a prompt may have."""

import pytest

from analysis.facts.facts import read_facts
from analysis.text.boundary import (
    answer_as_kept,
    behind,
    between,
    continuation,
    ended,
    goes_on,
    joined,
    marked,
    parted,
    sentence,
)

CLOSE = {
    "a straight quote": ('The capital of France is "', "Rome"),
    "a curly quote": ("The capital of France is “", "Rome"),
    "a single quote": ("They call it '", "Rome"),
    "a single curly quote": ("They call it ‘", "Rome"),
    "guillemets": ("On dit «", "Rome"),
    "German quotes": ("Er sagte „", "Rom"),
    "Danish quotes": ("Han sagde »", "Rom"),
    "Finnish quotes": ("Hän sanoi ”", "Rooma"),
    "a quote within a list": ('x = ["', "Rome"),
    "JSON": ('{"name":"', "Rome"),
    "a quote behind Chinese": ('首都是"', "巴黎"),
    "a bracket": ("The capital (", "Rome"),
    "a square bracket": ("see [", "Rome"),
    "a brace": ("\\emph{", "Rome"),
    "a dollar": ("It costs $", "5"),
    "a dollar after others": ("from $3 to $", "5"),
    "a country's dollar": ("It costs US$", "5"),
    "pounds": ("It costs £", "5"),
    "rupees": ("कीमत ₹", "5"),
    "a line break": ("Q: Which?\nA:\n", "Rome"),
    "a tab": ("France\t", "Paris"),
    "equals": ("lang=", "en"),
    "a sum": ("2+2=", "4"),
    "a slash": ("and/", "or"),
    "a path": ("cd /", "home"),
    "a hyphen": ("the Franco-", "Prussian"),
    "a dash between years": ("1939–", "1945"),
    "a negative number": ("the answer is -", "5"),
    "a hashtag": ("he wrote #", "rome"),
    "an at": ("mail me@", "example"),
    "an underscore": ("def get_", "name"),
    "a scheme": ("http:", "//rome"),
    "a name space": ("std::", "vector"),
    "a time": ("at 12:", "30"),
    "a decimal": ("it is 3.", "14"),
    "a tag": ("It is <b>", "Rome"),
    "a tag with attributes": ('<p class="a">', "Rome"),
    "a mark of a chat": ("<|assistant|>", "Rome"),
    "emphasis": ("It is **", "Rome"),
    "a backtick": ("the command `", "ls"),
    "a fence": ("```", "python"),
    "Chinese": ("法国的首都是", "巴黎"),
    "Chinese, a foreign word": ("法国的首都是", "Paris"),
    "Chinese, a number before": ("他出生在1964", "年"),
    "Japanese": ("フランスの首都は", "パリ"),
    "Thai": ("เมืองหลวงของฝรั่งเศสคือ", "ปารีส"),
    "Thai, a vowel sign at the end": ("ที่นี่", "ดี"),
    "Lao": ("ນະຄອນຫຼວງແມ່ນ", "ວຽງຈັນ"),
    "Khmer": ("រាជធានីគឺ", "ភ្នំពេញ"),
    "Burmese": ("မြို့တော်မှာ", "ပါရီ"),
    "Tibetan": ("རྒྱལ་ས་", "ལྷ་ས"),
    "a comma": ("The city of Rome", ", Italy"),
    "a full stop": ("The city is Rome", "."),
    "a possessive": ("Rome", "'s walls"),
    "a curly possessive": ("Rome", "’s walls"),
    "a contraction": ("he does", "n't"),
    "a closing quote": ('He said "Rome', '"'),
    "a closing bracket": ("(in Rome", ")"),
    "an accent": ("cafe", "\u0301"),
    "a suffix": ("Rome", "-based"),
    "percent": ("50", "%"),
}
APART = {
    "a word": ("The capital of France is", "Paris"),
    "a colon": ("A:", "Paris"),
    "a closing quote": ('the film "Titanic"', "was"),
    "a closing curly quote": ("the film “Titanic”", "was"),
    "closing German quotes": ("Er sagte „Rom“", "und"),
    "an apostrophe at the end": ("the Beatles'", "album"),
    "inches": ("He is 6'2\"", "tall"),
    "a closing bracket": ("Rome (Italy)", "is"),
    "a closing tag": ("<b>Rome</b>", "is"),
    "a type": ("List<String>", "names"),
    "a price": ("it costs 10 €", "a day"),
    "spaced equals": ("2 + 2 =", "4"),
    "a spaced dash": ("he came – ", "she went"),
    "a list": ("-", "item"),
    "a heading": ("##", "Title"),
    "a language": ("written in C#", "by"),
    "a grade": ("a grade of A+", "is"),
    "a comma": ("Paris, Rome,", "London"),
    "a full stop": ("It is late.", "Then"),
    "the end of code": ("the command `ls`", "lists"),
    "the end of emphasis": ("**Rome**", "is"),
    "Korean": ("프랑스의 수도는", "파리"),
    "Korean, a Chinese character": ("수도는 서울(漢城)과 漢", "강"),
    "Hindi": ("फ़्रांस की राजधानी", "पेरिस"),
    "Arabic": ("عاصمة فرنسا هي", "باريس"),
    "Hebrew": ("בירת צרפת היא", "פריז"),
    "a Chinese word in English": ("The Chinese name is", "東京"),
    "an emoji": ("They say 😀", "means"),
    "a quoted answer": ("The film is", '"Titanic"'),
    "a negative answer": ("The answer is", "-5"),
    "a decimal answer": ("The answer is", ".5"),
    "a bracketed answer": ("The answer is", "(b)"),
    "a price as answer": ("It costs", "$5"),
}


@pytest.mark.parametrize("end", CLOSE)
def test_nothing_stands_behind(end):
    assert between(*CLOSE[end]) == ""


@pytest.mark.parametrize("end", APART)
def test_a_space_stands_behind(end):
    assert between(*APART[end]) == " "


def test_stored_facts_are_read_as_they_always_were():
    for fact in read_facts():
        assert joined(fact.text, fact.object) == f"{fact.text} {fact.object}"
        assert behind(sentence(fact.text, fact.object), fact.text) == f"{fact.text} {fact.object}. {fact.text}"


def test_a_field_overrides_the_prompts_end():
    assert joined('It is "', "Rome", "space") == 'It is " Rome'
    assert joined("It is", "Rome", "none") == "It isRome"


@pytest.mark.parametrize(
    ("answer", "text"),
    [(" Rome", " Rome"), ("\nRome", "\nRome"), ("␣Rome", " Rome"), ("⏎Rome", "\nRome"), ("‿Rome", "Rome"), ("⏎", "\n")],
)
def test_what_an_answer_says_of_its_beginning_is_respected(answer, text):
    for prompt in ('It is "', "It is"):
        for boundary in ("auto", "space", "none"):
            assert continuation(prompt, answer, boundary) == text


@pytest.mark.parametrize("word", [" Rome", "Rome", ",", " ,", "'s", "\nRome", "\n\n", "⟨9F⟩", "東"])
@pytest.mark.parametrize("prompt", ["It is", 'It is "', 'It is " ', "首都是", "A:\n"])
def test_what_is_shown_can_be_typed(prompt, word):
    for boundary in ("auto", "space", "none"):
        assert continuation(prompt, marked(prompt, word, boundary), boundary) == word


def test_words_are_shown_bare_where_they_begin_as_expected():
    assert marked("It is", " Rome") == marked('It is "', "Rome") == "Rome"
    assert (marked('It is "', " Rome"), marked("It is", "Rome")) == ("␣Rome", "‿Rome")
    assert goes_on("It is", " Rome,\nthe city") == "Rome, the city"
    assert goes_on("It is", "land") == "‿land"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("It is ", "It is"),
        ("It is   ", "It is"),
        ("It is\n", "It is"),
        ('It is "', 'It is "'),
        ('It is "  ', 'It is " '),
        ("首都是 ", "首都是 "),
        ("Q: Which?\nA:\n", "Q: Which?\nA:\n"),
        ("Answer:\n", "Answer:\n"),
        ("def f():\n    ", "def f():\n    "),
    ],
)
def test_what_a_prompt_ends_with(typed, kept):
    assert ended(typed) == kept == ended(kept)


def test_a_space_typed_at_the_end_is_the_one_before_the_answer():
    assert joined('It is " ', "Rome") == 'It is " Rome'
    assert parted("def f():\n    ") == ("def f():\n   ", "space")
    assert joined("def f():\n    ", "return") == "def f():\n    return"


def test_an_answer_is_kept_without_the_space_that_stands_there_anyway():
    assert answer_as_kept("It is", " Rome ") == "Rome"
    assert answer_as_kept('It is "', " Rome") == "␣Rome"
    assert answer_as_kept("It is", "\nRome") == "⏎Rome"


def test_a_sentence_closes_what_its_prompt_ends_with():
    assert sentence('It is "', "Rome") == 'It is "Rome".'
    assert sentence("It is («", "Rome") == "It is («Rome»)."
    assert behind(sentence("首都是", "巴黎"), "首都是") == "首都是巴黎。首都是"
