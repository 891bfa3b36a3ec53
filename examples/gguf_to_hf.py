"""A GGUF file as a folder that can be trained: weights in 32 bits, tokenizer, chat template.

python examples/gguf_to_hf.py FILE.gguf DIR
"""

import argparse
import logging
import sys
from pathlib import Path

from tir_agent.errors import TirError
from tir_agent.training.gguf import unpack_gguf
from tir_agent.training.setting import check_out


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("gguf", type=Path, help="the model's file")
    parser.add_argument("out", type=Path, help="new folder")
    options = parser.parse_args()
    check_out(options.out)
    unpack_gguf(options.gguf, options.out)
    print(f"{options.out} holds the model; train it with --model {options.out}")


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        main()
    except TirError as error:
        sys.exit(f"error: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""))
