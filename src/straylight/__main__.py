"""`python -m straylight` is the command line."""

from straylight.cli.main import main

if __name__ == "__main__":
    main()
