# For the parser, the compiler and SymPy in turn.
import sympy

for text in ("(" * 10**5, "1" + "+1" * 10**6, "-" * 10**6 + "1", "[" * 10**4 + "]" * 10**4):
    try:
        eval(text)
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        pass
x, y, z = sympy.symbols("x y z")
sympy.expand((x + y + z + 1) ** 500)
