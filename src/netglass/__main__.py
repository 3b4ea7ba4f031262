"""`python -m netglass` is the command `netglass`."""

from netglass.cli import main

if __name__ == "__main__":
    main()
