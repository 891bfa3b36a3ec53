# The host asks for the names that a session knows.
for number in range(2 * 10**5):
    globals()["v" * 100 + str(number)] = number
globals().update({"\ud800": 1, 5: 2, ("a", "b"): 3, None: 4})
