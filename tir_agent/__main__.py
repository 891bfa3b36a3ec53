"""`python -m tir_agent` is `tir`."""

from tir_agent.cli import main

if __name__ == "__main__":
    main()
