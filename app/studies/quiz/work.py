"""How much a quiz is: an edit for each case and method, some fifteen answers, and turns of doubt."""

from app.jobs.work import Shape, put
from app.studies.evaluate.work import written_work
from editors.quizzes.result import QuizRequest

FORMS, TALK = 15, 60
"""Questions of a case, and tokens of one in a conversation."""


def quiz_work(request: QuizRequest, shape: Shape) -> float:
    """See `Entry.work`."""
    long = put(request, "") + TALK
    answers = shape.written(long, request.words, FORMS)
    doubts = sum(shape.written(long * (2 + turn), request.words) for turn in range(request.turns))
    asked = len(request.cases) * (1 + len(request.methods)) * (answers + doubts)
    return asked + sum(written_work(request, request.cases, method, shape) for method in request.methods)
