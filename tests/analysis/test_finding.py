"""A subject is found as people read it: whatever its composition, never ending inside a character."""

import pytest

from analysis.errors import SubjectAmbiguous, SubjectNotFound
from analysis.knowledge_conflict.prompts import conflict_in
from analysis.text.finding import begins_with, find_text, occurrences
from editors.quizzes.forms import matches
from editors.scoring.free_answers import right

DECOMPOSED, COMPOSED = "Sa\u0303o Paulo", "S\u00e3o Paulo"
FAMILY = "👨\u200d👩\u200d👧"


@pytest.mark.parametrize(("text", "part"), [(DECOMPOSED, COMPOSED), (COMPOSED, DECOMPOSED)])
def test_accents_composed_otherwise_are_the_same(text, part):
    start, end = find_text(f"In {text} they speak", part)
    assert (start, end) == (3, 3 + len(text))
    with pytest.raises(SubjectNotFound) as refusal:
        find_text(f"In {text} they speak", part.replace("P", "B"))
    assert refusal.value.suggestion == text


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("cafe\u0301 is", "cafe"),
        ("the 👨\u200d👩\u200d👧 is", "👨"),
        ("the 👍🏽 is", "👍"),
        ("दिल्ली में", "द"),
        ("की किताब", "क"),
        ("ที่นี่", "ท"),
        ("🇫🇷", "🇫"),
    ],
)
def test_nothing_ends_inside_a_character(text, part):
    with pytest.raises(SubjectNotFound):
        find_text(text, part)


def test_variants_and_joined_emoji_are_found_whole():
    assert find_text("I ❤️ it", "❤") == (2, 4)
    assert find_text(f"a {FAMILY} b", FAMILY) == (2, 2 + len(FAMILY))


@pytest.mark.parametrize(
    ("text", "part", "count"),
    [
        ("日本の首都。日本", "日本", 2),
        ("東京は日本の首都", "日本", 1),
        ("ประเทศไทยคือประเทศ", "ประเทศ", 2),
        ("Bart plays the art", "art", 1),
    ],
)
def test_words_of_scripts_without_spaces_are_found_wherever_they_stand(text, part, count):
    assert len(occurrences(text, part)) == count
    if count > 1:
        with pytest.raises(SubjectAmbiguous):
            find_text(text, part)


def test_a_misspelt_subject_of_such_a_script_gets_a_suggestion():
    with pytest.raises(SubjectNotFound) as refusal:
        find_text("艾菲尔铁塔位于巴黎", "艾菲耳铁塔")
    assert refusal.value.suggestion == "艾菲尔铁塔"
    with pytest.raises(SubjectNotFound) as refusal:
        find_text("In STRASSE they", "straße")
    assert refusal.value.suggestion == "STRASSE"


def test_a_text_begins_with_a_word():
    assert begins_with("Paris is", "paris")
    assert not begins_with("Parisian", "Paris")
    assert begins_with("巴黎是首都", "巴黎")
    assert right("巴黎是首都", ["巴黎"]) and right(DECOMPOSED, [COMPOSED]) and not right("Romeo", ["Rome"])
    assert matches("答案是巴黎。", "巴黎") and matches(DECOMPOSED, COMPOSED) and not matches("Romeo", "Rome")


def test_a_conflict_of_such_a_script_is_read():
    made = conflict_in("法国的首都是罗马。法国的首都是", "法国", "巴黎", "罗马")
    assert (made.template, made.clean_template) == ("{s}的首都是{c}。{s}的首都是", "{s}的首都是")
