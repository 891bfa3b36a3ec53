def grade(a, g):
    return {"verdict": "wrong", "reason": "x", "answer_parsed": [], "gold_parsed": [], "grader": "stub"}
