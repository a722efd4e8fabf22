"""The command line as a module: ``python -m mesbatch``, where the scripts' folder is not on the PATH."""

from mesbatch.cli import main

main()
