"""`python -m zchunk`: the command line, as `zchunk`."""

import sys

from zchunk.wings.command_line import main

if __name__ == "__main__":
    sys.exit(main())
