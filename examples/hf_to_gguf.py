"""A trained folder as a GGUF file that llama.cpp serves.

python examples/hf_to_gguf.py DIR ORIGINAL.gguf NEW.gguf [--precision f16|q8_0]

ORIGINAL is the file that the model was unpacked from; all but the weights is taken from it.
"""

import argparse
import sys
from pathlib import Path

from tir_agent.errors import TirError, UsageError
from tir_agent.training.gguf import Precision, pack_gguf


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="folder of the trained model")
    parser.add_argument("original", type=Path, help="GGUF file that it was made from")
    parser.add_argument("out", type=Path, help="new GGUF file")
    parser.add_argument("--precision", choices=[*Precision], default=Precision.F16, type=Precision)
    options = parser.parse_args()
    if options.out.exists():
        raise UsageError(f"{options.out} is there already", hint="Name another file")
    pack_gguf(options.model, options.original, options.out, options.precision)
    print(f"{options.out} holds the model; try it with tir solve --model {options.out}")


if __name__ == "__main__":
    try:
        main()
    except TirError as error:
        sys.exit(f"error: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""))
