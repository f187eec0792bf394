"""What does ``python -m tinygrad_rnn`` do? The same as the command ``tinygrad-rnn``."""

import sys

from .commands.cli import main

if __name__ == "__main__":
    sys.exit(main())
